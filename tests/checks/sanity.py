# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`ansible-test sanity` on a real copy of the tree, in a home of its own.

ansible-test wants the path ansible_collections/NAMESPACE/NAME and resolves links, hence the copy. It builds virtual
environments in the home directory, and cuts pip's settings out of the environment, hence the private home.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.lab.settings import ROOT

from .steps import CACHE

COPY = ROOT / ".cache" / "sanity" / "ansible_collections" / "steadfast" / "ai_platform"
# Outlives a clone: the environments in it cost more than the tests themselves.
HOME = CACHE / "ansible-test"
STAND_IN = Path(__file__).with_name("get_pip.py")


def copy_tree() -> None:
    """Copy what git tracks or would track: the tree as it is now, without what it ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    shutil.rmtree(COPY, ignore_errors=True)
    for name in filter(None, listed.stdout.split("\0")):
        # A file that git still knows may be gone from the tree.
        if (ROOT / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, COPY / name, follow_symlinks=False)
    # A repository of its own, or ansible-test asks the one around it, which ignores this folder.
    subprocess.run(["git", "init", "--quiet"], cwd=COPY, check=True)


def pip_settings() -> configparser.ConfigParser:
    """pip's settings of the caller: the files of the home that is hidden, then PIP_* as pip itself reads them."""
    settings = configparser.ConfigParser(interpolation=None)
    settings.read_dict({"global": {}})
    config_home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    settings.read([Path.home() / ".pip" / "pip.conf", config_home / "pip" / "pip.conf"])
    if os.environ.get("PIP_CONFIG_FILE"):
        settings.read(os.environ["PIP_CONFIG_FILE"])
    for name, value in os.environ.items():
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE":
            settings["global"][name.removeprefix("PIP_").lower().replace("_", "-")] = value
    return settings


def furnish_home() -> None:
    """Put pip's settings, and a stand-in for the pip installer that ansible-test would download, into the home."""
    (HOME / ".config" / "pip").mkdir(parents=True, exist_ok=True)
    with (HOME / ".config" / "pip" / "pip.conf").open("w", encoding="utf-8") as target:
        pip_settings().write(target)
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(STAND_IN, cache / f"get_pip_{_wanted_pip().replace('.', '_')}.py")


def _wanted_pip() -> str:
    """The pip that this ansible-test installs, which is part of the file name it looks for."""
    spec = find_spec("ansible_test")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("ansible-test is not installed beside this Python: run the set-up first")
    source = Path(spec.submodule_search_locations[0]) / "_internal" / "python_requirements.py"
    version = re.search(r"pip='([\d.]+)'", source.read_text(encoding="utf-8"))
    if version is None:
        raise SystemExit(f"cannot tell which pip ansible-test wants: its {source.name} has changed")
    return version[1]


def main() -> int:
    """Returns ansible-test's exit status."""
    copy_tree()
    furnish_home()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    kept = {name: value for name, value in os.environ.items() if name != "XDG_CONFIG_HOME"}
    return subprocess.run(
        ["ansible-test", "sanity", "--local", "--color", "no", "--python", python, *sys.argv[1:]],
        cwd=COPY,
        env={**kept, "HOME": str(HOME)},
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())

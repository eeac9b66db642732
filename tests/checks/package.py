# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection into build/ and look into the package: what runs a platform is in it, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import PurePosixPath

import yaml

from tests.lab.settings import ROOT

BUILD = ROOT / "build"
# Everything a package may hold at its top. MANIFEST.json and FILES.json are written by the build.
ALLOWED_FILES = frozenset(("CHANGELOG.md", "CONTRIBUTING.md", "FILES.json", "LICENSE", "MANIFEST.json", "README.md"))
ALLOWED_FOLDERS = frozenset(
    ("changelogs", "docs", "extensions", "inventories", "meta", "playbooks", "plugins", "roles")
)
NEEDED = ("README.md", "LICENSE", "CHANGELOG.md", "meta/runtime.yml", "playbooks", "plugins/modules", "roles")


def problems(names: list[str]) -> list[str]:
    """What is in the package and should not be, and what is missing; names are paths inside it."""
    paths = [PurePosixPath(name) for name in names]
    strange = [
        f"does not belong into the package: {path}"
        for path in paths
        if path.parts[0] not in ALLOWED_FILES | ALLOWED_FOLDERS
        or any(part.startswith(".") or part == "__pycache__" for part in path.parts)
        or path.parts[:2] == ("inventories", "lab")
    ]
    return strange + [f"missing in the package: {name}" for name in NEEDED if PurePosixPath(name) not in paths]


def main() -> int:
    """Returns 0 when the package is as it should be."""
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    subprocess.run(
        ["ansible-galaxy", "collection", "build", "--force", "--output-path", str(BUILD), str(ROOT)], check=True
    )
    archive = BUILD / f"{galaxy['namespace']}-{galaxy['name']}-{galaxy['version']}.tar.gz"
    with tarfile.open(archive) as package:
        names = package.getnames()
    found = problems(names)
    print("\n".join(found) or f"{len(names)} entries, all of them meant to be there")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

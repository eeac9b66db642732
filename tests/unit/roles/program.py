# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that roles install, which are no modules of a package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = ROOT / "roles"


def load(place: str) -> ModuleType:
    """The program at roles/PLACE."""
    name, folder = Path(place).stem, str((ROLES / place).parent)
    if folder not in sys.path:
        # As Python does for a program: what lies beside it can be imported.
        sys.path.append(folder)
    spec = importlib.util.spec_from_file_location(name, ROLES / place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def install(place: str, listed: str, folder: Path) -> Path:
    """The program at roles/PLACE, in a folder with what its role copies for it: what that forgets is missed.

    listed: the file of the role's variables and the name of the list in it, as `main.yml:__role_python_files`.
    """
    program = ROLES / place
    file, _colon, name = listed.partition(":")
    variables = yaml.safe_load((program.parents[1] / "vars" / file).read_text(encoding="utf-8"))
    for path in variables[name]:
        target = folder / "steadfast_platform" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((ROOT / "plugins" / "module_utils" / path).read_text(encoding="utf-8"), encoding="utf-8")
    installed = folder / program.name
    installed.write_text(program.read_text(encoding="utf-8"), encoding="utf-8")
    return installed

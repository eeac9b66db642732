# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that roles install, which are no modules of a package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from ansible_collections.steadfast.ai_platform.plugins.plugin_utils.program import parts

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


def install(place: str, folder: Path) -> Path:
    """The program at roles/PLACE, installed in a folder as python_program does."""
    for name, text in parts(ROLES / place).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return folder / Path(place).name

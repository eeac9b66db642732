# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab takes from the environment, and where it keeps things."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = ROOT / "inventories" / "lab"
LABEL = "ai.steadfast.lab"


class LabError(Exception):
    """What is wrong, where, and what to do about it. Shown without a traceback."""


def cache() -> Path:
    """Folder for what takes long to build; it outlives a clone."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("STEADFAST_CACHE") or Path(base) / "steadfast")


def name() -> str:
    """Name of this lab instance: network, and prefix of its containers."""
    return os.environ.get("STEADFAST_LAB") or "steadfast"


def subnet() -> str:
    """First three numbers of the lab's /24."""
    return os.environ.get("STEADFAST_LAB_SUBNET") or "172.30.40"


def nodes() -> int:
    """Number of model servers."""
    text = os.environ.get("LAB_NODES") or "3"
    if not text.isdigit() or not 3 <= int(text) <= 60:
        raise LabError(f"LAB_NODES is {text!r}: give a number from 3 to 60")
    return int(text)


def say(text: str) -> None:
    """A line of progress."""
    print(f"==> {text}", file=sys.stderr, flush=True)

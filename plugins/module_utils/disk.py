# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that outlive a power failure, and their digests."""

from __future__ import annotations

import hashlib
import os
from typing import Callable

CHUNK = 1024 * 1024


def digest(path: str, copy_to: str | None = None, tell: Callable[[int], None] = lambda _bytes: None) -> str:
    """sha256 of a file in hexadecimal, copying it on the way when asked to. `tell` hears of each part's bytes.

    Raises OSError.
    """
    result = hashlib.sha256()
    with open(path, "rb") as source, open(copy_to or os.devnull, "wb") as target:
        for chunk in iter(lambda: source.read(CHUNK), b""):
            result.update(chunk)
            target.write(chunk)
            tell(len(chunk))
        target.flush()
        if copy_to:
            os.fsync(target.fileno())
    return result.hexdigest()


def write(path: str, text: str, mode: int) -> None:
    """Write a file down to the disk. Raises OSError."""
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    os.chmod(path, mode)


def sync(folder: str) -> None:
    """Write a folder down: a rename in it outlives a power failure only then. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

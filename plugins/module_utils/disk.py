# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that outlive a power failure, and their digests."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def locked(path: str, patience: float) -> Iterator[None]:
    """Keep others away from what a file stands for. Raises TimeoutError after `patience` seconds, OSError."""
    with open(path, "w") as handle:
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() >= end:
                    raise TimeoutError("{0} is locked".format(path)) from error
            time.sleep(0.2)
        yield


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

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that outlive a power failure, their digests, and locks on folders."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Callable

from .errors import Refused

CHUNK = 1024 * 1024


def digest(
    path: str,
    copy_to: str | None = None,
    tell: Callable[[int], None] = lambda _bytes: None,
    resume: bool = False,
) -> str:
    """sha256 of a file in hexadecimal, copying it on the way when asked to. `tell` hears of each part's bytes.

    With `resume`, what lies at `copy_to` already is taken for the beginning: the copy goes on after it, and the digest
    is of all that lies there then. Raises OSError.
    """
    result = hashlib.sha256()
    with open(path, "rb") as source, open(copy_to or os.devnull, "a+b" if resume else "wb") as target:
        if resume:
            target.seek(0)
            for chunk in _chunks(target):
                result.update(chunk)
            source.seek(target.tell())
        for chunk in _chunks(source):
            result.update(chunk)
            target.write(chunk)
            tell(len(chunk))
        target.flush()
        if copy_to:
            os.fsync(target.fileno())
    return result.hexdigest()


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: stream.read(CHUNK), b"")


@contextmanager
def locked(folder: str, patience: float) -> Iterator[None]:
    """Keep other runs away from a folder. Raises Refused when one is still at work after `patience` seconds."""
    with open(os.path.join(folder, ".lock"), "w") as handle:
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() >= end:
                    words = "another run is at work in {0}: try again when it has ended"
                    raise Refused(words.format(folder)) from error
            time.sleep(0.2)
        yield


def write(path: str, text: str, mode: int) -> None:
    """Write a file down to the disk. Raises OSError."""
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    os.chmod(path, mode)

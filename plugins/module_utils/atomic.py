# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are replaced at once or not at all. Imports little: modules that a rollout waits for start with it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import IO


def replace(path: str, text: str, mode: int = 0o640) -> None:
    """Write a file down to the disk and put it in the place of `path`. Raises OSError; then `path` is as before."""
    with fresh(path, mode) as stream:
        stream.write(text.encode("utf-8"))


@contextlib.contextmanager
def fresh(path: str, mode: int = 0o640) -> Iterator[IO[bytes]]:
    """What is written takes the place of `path` when the block ends. Whatever is raised, `path` is as before.

    Raises OSError. One writer at a time: the temporary file is named after this process.
    """
    folder = os.path.dirname(path)
    temporary = os.path.join(folder, ".{0}.{1}".format(os.path.basename(path), os.getpid()))
    try:
        with open(temporary, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    sync(folder or ".")


def sync(folder: str) -> None:
    """Write a folder down: a rename in it outlives a power failure only then. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

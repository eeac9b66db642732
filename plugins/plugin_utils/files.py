# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on the controller that somebody else reads: whole or not at all, and never without end."""

from __future__ import annotations

import contextlib
import os
import tempfile

MAX_READ = 1 << 26


def write_whole(path, content, mode):
    """Put a text in place of a file at once. Raises OSError, and then leaves the file as it was."""
    handle, made = tempfile.mkstemp(prefix=".steadfast-", dir=os.path.dirname(os.path.abspath(path)))
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as stream:
            stream.write(content)
        os.chmod(made, mode)
        os.replace(made, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(made)
        raise


def read_from(path, offset=0):
    """A file's bytes from a place on; none if it is not there. Raises OSError for any other trouble."""
    try:
        with open(path, "rb") as stream:
            stream.seek(offset)
            return stream.read(MAX_READ)
    except FileNotFoundError:
        return b""

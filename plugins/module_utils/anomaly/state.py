# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was learned, on the disk: one JSON record a line, the last with the sum of those before it.

It is replaced at once or not at all. What cannot be trusted is put aside, and learning begins anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from typing import IO, Any

from ..atomic import fresh
from ..errors import Unreadable

FORMAT, VERSION = "steadfast-anomaly-state", 1
# A series of a week at five minutes has a line of 80 KB.
LONGEST_LINE, LARGEST_FILE = 1024 * 1024, 4 * 1024**3


def save(path: str, header: dict[str, Any], records: Iterable[Any]) -> None:
    """Write records, one at a time: all of them together would need as much memory again. Raises OSError."""
    digest, count = hashlib.sha256(), 0
    with fresh(path) as stream:
        for record in _all({"format": FORMAT, "version": VERSION, **header}, records):
            line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
            digest.update(line)
            count += 1
            stream.write(line)
        stream.write(json.dumps({"lines": count, "sha256": digest.hexdigest()}).encode() + b"\n")


def load(path: str) -> Iterator[Any]:
    """The header, then the records; nothing when there is no file. Raises Unreadable when it cannot be trusted."""
    try:
        with open(path, "rb", opener=_at_once) as stream:
            count = _checked(stream)
            stream.seek(0)
            for number in range(count):
                yield _parsed(stream.readline(LONGEST_LINE), number)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unreadable("it cannot be read: {0}".format(error)) from error


def put_aside(path: str) -> str:
    """Rename a file that is of no use, so that somebody can look at it; where it is now. Raises OSError."""
    os.replace(path, path + ".bad")
    return path + ".bad"


def _at_once(path: str, flags: int) -> int:
    # A pipe in its place must not be waited for.
    return os.open(path, flags | os.O_NONBLOCK)


def _all(header: dict[str, Any], records: Iterable[Any]) -> Iterator[Any]:
    yield header
    yield from records


def _checked(stream: IO[bytes]) -> int:
    """How many lines there are before the last one, which has their sum."""
    found = os.fstat(stream.fileno())
    if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST_FILE:
        raise Unreadable("it is no file, or one of more than {0} bytes".format(LARGEST_FILE))
    digest, count, last = hashlib.sha256(), 0, b""
    while line := stream.readline(LONGEST_LINE):
        if not line.endswith(b"\n"):
            raise Unreadable("line {0} has no end".format(count + 1))
        if last:
            digest.update(last)
            count += 1
        last = line
    if _parsed(last, count) != {"lines": count, "sha256": digest.hexdigest()}:
        raise Unreadable("its sum is wrong: it is torn or was changed")
    return count


def _parsed(line: bytes, number: int) -> Any:
    try:
        found = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Unreadable("line {0} is not JSON: {1}".format(number + 1, error)) from error
    if number == 0 and not (isinstance(found, dict) and found.get("format") == FORMAT):
        raise Unreadable("it is not a state of this program")
    if number == 0 and found.get("version") != VERSION:
        raise Unreadable("it has version {0!r}, not {1}".format(str(found.get("version"))[:20], VERSION))
    return found

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal's records: one line each, a checksum before its JSON. Pure."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..errors import Unreadable


@dataclass(frozen=True)
class Record:
    """One thing that happened to a pool.

    `seq` counts the pool's records from 1 without a gap; `fence` is the writer's; `at` is the writer's wall clock
    (ISO 8601), for people: nothing is decided by it.
    """

    seq: int
    fence: int
    run: str
    event: str
    at: str
    data: dict[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """The record as the journal keeps it, without the line's end."""
        body = json.dumps(
            {
                "seq": self.seq,
                "fence": self.fence,
                "run": self.run,
                "event": self.event,
                "at": self.at,
                "data": self.data,
            },
            sort_keys=True,
            separators=(",", ":"),
        )
        return "{0:08x} {1}".format(zlib.crc32(body.encode()), body)


def parse_line(line: str) -> Record:
    """Read one line. Raises Unreadable when its checksum or its shape is wrong."""
    checksum, _space, body = line.partition(" ")
    if checksum != "{0:08x}".format(zlib.crc32(body.encode())):
        raise Unreadable("a record's checksum is wrong", record=line[:200])
    try:
        values = json.loads(body)
        record = Record(**values)
        sane = isinstance(record.seq, int) and isinstance(record.fence, int) and isinstance(record.data, dict)
        if not sane or not isinstance(record.run, str) or not isinstance(record.event, str):
            raise TypeError("a field has the wrong type")
    except (ValueError, TypeError) as error:
        raise Unreadable("a record cannot be understood: {0}".format(error), record=line[:200]) from error
    return record


def parse_log(text: str) -> tuple[list[Record], bool]:
    """Read a whole journal: its records, and whether a torn last one was dropped (a crash in the middle of a write).

    Raises Unreadable for anything wrong before the last line: that is no crash but damage, and nothing is guessed.
    """
    lines = text.split("\n")
    torn = lines.pop() != ""
    records: list[Record] = []
    for number, line in enumerate(lines, 1):
        try:
            record = parse_line(line)
            if records and record.seq != records[-1].seq + 1:
                raise Unreadable("record {0} follows record {1}".format(record.seq, records[-1].seq))
        except Unreadable as error:
            if number == len(lines) and not torn:
                return records, True
            raise Unreadable("line {0} of the journal: {1}".format(number, error.message), **error.evidence) from error
        records.append(record)
    return records, torn


def tip(records: Iterable[Record]) -> tuple[int, int]:
    """Fence and seq of the last record; (0, 0) for an empty journal. The greater tip is the newer journal."""
    last = (0, 0)
    for record in records:
        last = (record.fence, record.seq)
    return last

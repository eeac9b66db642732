# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A log in which each record carries the hash of the line before it. Pure.

The records are the journal's (ledger/records.py): a checksum finds damage, the chain finds intent. Whoever edits, takes
out or moves a record must write every later one anew; then the last hash differs from the one that others have seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import Unreadable
from ..ledger.lease import Moment
from ..ledger.records import Record, parse_log
from .clock import Now, iso

# The record that stands for all before it, when a log goes on in a new file.
SNAPSHOT = "snapshot"


@dataclass(frozen=True)
class Head:
    """The end of a log: number of its last record, and the hash of that line."""

    seq: int = 0
    hash: str = ""

    def __str__(self) -> str:
        return "{0}:{1}".format(self.seq, self.hash)


def read_head(text: str) -> Head:
    """What `str` gave. Raises Unreadable."""
    number, _colon, hashed = text.strip().partition(":")
    if not number.isdigit() or (len(hashed) != 64 and (number, hashed) != ("0", "")):
        raise Unreadable("{0!r} is no head of a log, such as 12:<64 digits>".format(text[:80]))
    return Head(int(number), hashed)


def hash_of(record: Record) -> str:
    """Of the record's line."""
    return hashlib.sha256(record.line().encode()).hexdigest()


def head_of(records: Sequence[Record]) -> Head:
    """The end of a log."""
    return Head(records[-1].seq, hash_of(records[-1])) if records else Head()


def link(head: Head, event: str, data: dict[str, Any], now: Now) -> Record:
    """The next record. The guard's time is kept in it, as no record may depend on when it is read."""
    clock = {"wall": now.wall, "uptime": now.moment.uptime, "boot": now.moment.boot}
    return Record(head.seq + 1, 0, "", event, iso(now.wall), {**data, "clock": clock, "prev": head.hash})


def written_at(record: Record) -> Now:
    """The host's time when the record was written. Raises Unreadable."""
    try:
        clock = record.data["clock"]
        return Now(float(clock["wall"]), Moment(float(clock["uptime"]), str(clock["boot"])))
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable("record {0} does not say when it was written".format(record.seq)) from error


def broken(records: Iterable[Record]) -> str:
    """Where the chain does not hold; empty when it does. It begins with record 1, or with a snapshot."""
    before: Record | None = None
    for record in records:
        prev = record.data.get("prev")
        if before is None:
            if record.seq == 1 and prev != "":
                return "record 1 follows something that is not there"
            if record.seq != 1 and record.event != SNAPSHOT:
                return "the log begins at record {0}, which is no snapshot of those before it".format(record.seq)
        elif record.seq != before.seq + 1:
            return "record {0} follows record {1}".format(record.seq, before.seq)
        elif prev != hash_of(before):
            return "record {0} was not written after record {1} as it is now".format(record.seq, before.seq)
        before = record
    return ""


def shorter(records: Sequence[Record], head: Head) -> str:
    """Why the log is not one that once ended at this head; empty when it is, or has only grown since."""
    if head.seq == 0:
        return ""
    found = {record.seq: record for record in records}
    first, last = (records[0].seq, records[-1].seq) if records else (0, 0)
    if head.seq > last:
        return "the log ends at record {0}, but had record {1}: its end was cut off".format(last, head.seq)
    if head.seq < first - 1:
        return ""
    # The last one before the file is named by the link of the file's first record.
    mine = records[0].data.get("prev") if head.seq < first else hash_of(found[head.seq])
    return "" if mine == head.hash else "record {0} is not the one that was".format(head.seq)


def verify(text: str, *heads: Head) -> list[str]:
    """Everything that is wrong with a log; `heads` are its ends as they were known elsewhere at some time.

    Without one, a log that was cut off at the end looks whole.
    """
    try:
        records, torn = parse_log(text)
    except Unreadable as error:
        return [error.message]
    found = ["the last record is torn or damaged"] if torn else []
    if not torn and "".join(record.line() + "\n" for record in records) != text:
        found.append("the records say what they said, but are not the lines that were written")
    found += [broken(records), *(shorter(records, head) for head in heads)]
    return list(dict.fromkeys(each for each in found if each))

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard's log on this host's disk: `journal`, its `head`, and what was archived, in one folder.

One copy on one host. plugin_utils/guard_book.py has the same on the ledger hosts, valid with a majority.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from ..errors import Unreadable
from ..ledger import store as ledger
from ..ledger.records import Record, parse_log
from .chain import SNAPSHOT, Head, broken, head_of, link, read_head, shorter, verify
from .clock import Now
from .desk import Answer
from .state import State, forged, rebuild

# Records in one file: all of it is read, checked and replayed at each question. Then it goes on in a new one.
MOST_RECORDS = 2000


def now() -> Now:
    """This host's time. Raises Unreadable where the kernel does not say how long it has been up."""
    return Now(time.time(), ledger.now())


class Book(ledger.Store):
    """The log. Every method raises Unreadable when the disk or what is on it is in the way: then nothing is allowed."""

    def __init__(self, folder: str) -> None:
        parent, name = os.path.split(os.path.normpath(folder))
        super().__init__(parent, name)
        self.head_file = os.path.join(self.folder, "head")

    def look(self) -> tuple[State, list[Record]]:
        """The state and the records behind it, without a lock and without a trace."""
        records, _torn = self._whole()
        return rebuild(records), records

    def transact(self, work: Callable[[State, Now], Answer], write: bool = True) -> tuple[Answer, Record | None]:
        """Put a question to the state and write down what it changes, with nobody in between. The record, if any.

        What `work` raises goes up, and nothing was written.
        """
        if not write:
            return work(self.look()[0], now()), None
        with self.alone():
            records, torn = self._whole()
            moment = now()
            answer = work(rebuild(records), moment)
            if not answer.event:
                return answer, None
            if len(records) >= MOST_RECORDS:
                records, torn = self._archive(records, moment), False
            record = link(head_of(records), answer.event, answer.data, moment)
            if records and not torn:
                self._add([record.line()])
            else:
                # The first record makes a file; a torn one, which nobody was told of, is left out of a new one.
                self._replace(self.journal, _text([*records, record]))
            self._replace(self.head_file, "{0}\n".format(head_of([record])))
            return answer, record

    def head(self) -> Head:
        """The end of the log as it was noted beside it; after a crash it may be one record behind."""
        return read_head(self._read("head") or "0:")

    def verify(self, head: Head | None = None) -> list[str]:
        """Everything that is wrong with log and archives. `head` is the log's end as it was known elsewhere."""
        try:
            journal = self._read("journal", newline="")
            records, _torn = parse_log(journal)
            first = records[0].seq if records else 0
            # An archive that a crash has left beside the journal it was made from says nothing new.
            text = "".join(self._read(name, newline="") for name in self.archives() if int(name[8:]) < first) + journal
            found = verify(text, self.head(), head or Head())
            return found or [each for each in [forged(parse_log(text)[0])] if each]
        except Unreadable as error:
            return [error.message]

    def _whole(self) -> tuple[list[Record], bool]:
        records, torn = self.records()
        wrong = broken(records) or shorter(records, self.head())
        if wrong:
            raise Unreadable("the log {0} is not to be trusted, so nothing is allowed: {1}".format(self.journal, wrong))
        return records, torn

    def _archive(self, records: list[Record], moment: Now) -> list[Record]:
        """Put the journal aside and begin a new one with what it comes to. A crash in between loses nothing."""
        self.archive(records)
        fresh = [link(head_of(records), SNAPSHOT, {"state": rebuild(records).snapshot()}, moment)]
        self._replace(self.journal, _text(fresh))
        self._replace(self.head_file, "{0}\n".format(head_of(fresh)))
        return fresh


def _text(records: list[Record]) -> str:
    return "".join(record.line() + "\n" for record in records)

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guard with its log in memory, on a host whose clock and boots are moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.chain import SNAPSHOT, head_of, link
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.clock import Now
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.desk import Answer
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.state import State, rebuild
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.lease import Moment
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.records import Record, parse_log

# A Tuesday morning, in seconds since 1970.
BEGIN = 1772442000.0


class Desk:
    """Asks, and keeps what the answers say is to be kept."""

    def __init__(self) -> None:
        self.true = 0.0  # seconds that really passed
        self.wall_error = 0.0
        self.booted = -5000.0
        self.boots = 1
        self.records: list[Record] = []
        self.archived: list[Record] = []
        self.state = State()

    @property
    def now(self) -> Now:
        """The host's time as it believes it to be."""
        return Now(BEGIN + self.true + self.wall_error, Moment(self.true - self.booted, f"boot{self.boots}"))

    def put(self, work: Callable[[State, Now], Answer]) -> dict[str, Any]:
        """One question; its answer, with the number of the record as `seq` where there is one."""
        answer = work(self.state, self.now)
        if not answer.event:
            return answer.said
        record = link(head_of(self.records), answer.event, answer.data, self.now)
        self.records.append(record)
        self.state.apply(record)
        return {**answer.said, "seq": record.seq}

    def text(self) -> str:
        """The log as it would lie on the disk."""
        return "".join(record.line() + "\n" for record in self.records)

    def restart(self) -> None:
        """The guard dies and comes back: it knows what its log says."""
        self.records = parse_log(self.text())[0]
        self.state = rebuild(self.records)

    def reboot(self) -> None:
        """Its host, too."""
        self.restart()
        self.booted, self.boots = self.true, self.boots + 1

    def compact(self) -> None:
        """Put a snapshot in the place of the log."""
        if self.records:
            fresh = link(head_of(self.records), SNAPSHOT, {"state": rebuild(self.records).snapshot()}, self.now)
            self.archived += self.records
            self.records = [fresh]
            self.restart()

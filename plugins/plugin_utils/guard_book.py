# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard's log on the ledger hosts: written to all of them under a lease of its own, valid with a majority.

As module_utils/guard/store.py has it on one host: `look`, `transact`, `head`, `verify`.
"""

from __future__ import annotations

import time

from ..module_utils.errors import PlatformError, Refused, Unreadable
from ..module_utils.guard import store
from ..module_utils.guard.chain import SNAPSHOT, broken, head_of, link, verify
from ..module_utils.guard.state import forged, rebuild
from ..module_utils.rollout.policy import settle
from .journal import Journal
from .steps import new_run

# No pool of servers is called so, and the dead-man timers pass it over.
POOL = ".guard"
# Seconds: how long a lease outlives whoever died with it, and how long somebody else is waited for.
TTL, PATIENCE, PAUSE = 15, 45.0, 0.5
# A record that too few took may count or not; whoever looks anew knows.
TRIES = 3


class GuardBook:
    """The log. Every method raises Unreadable or Refused when no majority has it: then nothing is allowed."""

    def __init__(self, fleet, ledger_hosts):
        policy = settle({"lease_ttl": TTL}, 1).to_dict()
        plan = {"pool": POOL, "release": "", "balancers": []}
        answer = {"run": "", "plan": plan, "policy": policy, "spent": {}, "prior": {}}
        self.journal = Journal(fleet, new_run(POOL, answer, {"ledger_hosts": ledger_hosts}))

    def look(self):
        """The state and the records behind it, without a lease and without a trace."""
        records = self._trusted(self.journal.read())
        return rebuild(records), records

    def transact(self, work, write=True):
        """Put a question to the state and write down what it changes, with nobody in between. The record, if any.

        What `work` raises goes up, and nothing was written.
        """
        if not write:
            return work(self.look()[0], store.now()), None
        for left in reversed(range(TRIES)):
            ledger = self._take()
            try:
                return self._transact(work, ledger)
            except NotTaken:
                if not left:
                    raise
            finally:
                self.journal.release()
        raise AssertionError("the last try returns or raises")

    def head(self):
        """The end of the log."""
        return head_of(self.look()[1])

    def verify(self, head=None):
        """Everything that is wrong with the log as a majority has it. `head` is its end as it was known elsewhere."""
        try:
            records = list(self.journal.read().records)
            text = "".join(record.line() + "\n" for record in records)
            found = verify(text, *([head] if head else []))
            return found or [each for each in [forged(records)] if each]
        except PlatformError as error:
            return [error.message]

    def _transact(self, work, ledger):
        records = self._trusted(ledger)
        moment = store.now()
        answer = work(rebuild(records), moment)
        if not answer.event:
            return answer, None
        if len(records) >= store.MOST_RECORDS:
            snapshot = link(head_of(records), SNAPSHOT, {"state": rebuild(records).snapshot()}, moment)
            records = [self.journal.go_on(snapshot)]
        data = link(head_of(records), answer.event, answer.data, moment).data
        try:
            return answer, self.journal.write_once(answer.event, data)
        except Refused as error:
            raise NotTaken(error.message, **error.evidence) from error

    def _take(self):
        """The lease, and the log that it protects; whoever has it has it for a moment."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self.journal.take()
            except Refused:
                if time.monotonic() >= end:
                    raise
                time.sleep(PAUSE)

    @staticmethod
    def _trusted(ledger):
        records = list(ledger.records)
        wrong = broken(records)
        if wrong:
            raise Unreadable("the guard's log is not to be trusted, so nothing is allowed: {0}".format(wrong))
        return records


class NotTaken(Refused):
    """Too few ledger hosts took a record."""

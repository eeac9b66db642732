# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool's lease and journal as one controller holds them: written to all ledger hosts, valid with a majority."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from datetime import datetime, timezone

from ..module_utils.errors import PlatformError, Refused
from ..module_utils.ledger.quorum import agreed, copy_from, settle
from ..module_utils.ledger.records import Record

MODULE = "steadfast.ai_platform.rollout_ledger"


class Journal:
    """The ledger of one pool.

    Args:
        fleet: reaches the ledger hosts.
        run: what the plan settled: pool, id, owner, fence, seq, ledger_hosts, policy; fence and seq change in place.
        lock: shared with another Journal of the same run, so that one writes after the other.
    """

    def __init__(self, fleet, run, lock=None):
        self.fleet = fleet
        self.run = run
        self.lock = lock or threading.RLock()
        self._held = 0.0
        self._controller = os.getppid()

    @property
    def seq(self):
        """Number of the last record; None when it is not certain that no other record has the next one."""
        return self.run.get("seq")

    @property
    def excluded(self):
        """Ledger hosts that the operator has named as gone."""
        return self.run["policy"]["ledger_excluded"]

    @property
    def ttl(self):
        """Seconds that a lease lasts unless it is held longer."""
        return self.run["policy"]["lease_ttl"]

    def left(self):
        """Seconds that this controller may still act: from before the last write that a majority took."""
        return max(0.0, self._held + self.ttl - boottime()) if self._held else 0.0

    def orphaned(self):
        """True when the controller's main process is gone: a task runs in a process, and a session, of its own."""
        return os.getppid() != self._controller

    def read(self):
        """The ledger as a majority has it. Raises Unreadable without one."""
        info = {"pool": self.run["pool"]}
        results = self.fleet.everywhere(self.run["ledger_hosts"], MODULE + "_info", info)
        return settle({host: copy_from(result) for host, result in results.items()}, self.excluded)

    def take(self, expected_tip=None):
        """Take the lease under a new fencing number, and bring copies that are behind up to date.

        Raises Refused when another holds it, and when something happened since the plan was made (`expected_tip`).
        """
        ledger = self.read()
        if ledger.left > 0:
            raise Refused(
                "pool {0} is held by {1} (run {2}) for {3:.0f} s more, until {4}".format(
                    self.run["pool"], ledger.owner, ledger.run, ledger.left, clock(ledger.left)
                )
            )
        if expected_tip is not None and list(expected_tip) != list(ledger.tip):
            raise Refused("another run of pool {0} came in between: plan again".format(self.run["pool"]))
        try:
            self._take(ledger)
        except Refused:
            self.release()
            raise
        return ledger

    def retake(self):
        """As the holder, take the lease anew under a newer fencing number, and bring the copies together.

        A record that too few took may lie at some. Its number must not be given to another record under the same
        fencing number: of two such records nobody could tell which one counts. Raises Refused for who is no holder.
        """
        with self.lock:
            began = boottime()
            ledger = self.read()
            if ledger.owner != self.run["owner"] or ledger.left <= 0:
                raise Refused(
                    "pool {0} is held by {1}".format(self.run["pool"], ledger.owner)
                    if ledger.left > 0
                    else "the lease on pool {0} has run out".format(self.run["pool"])
                )
            self._take(ledger)
            if boottime() - began >= ledger.left:
                self.release()
                raise Refused("the lease on pool {0} ran out meanwhile".format(self.run["pool"]))
            return ledger

    def write(self, event, **data):
        """Append a record; the lease is held longer by it. Raises Refused when a majority did not take it."""
        self.write_all([(event, data)])

    def write_all(self, entries):
        """Append records, (event, data) each, all or none at a host. As `write`."""
        with self.lock:
            if self.seq is None:
                self.retake()
            self._surely(self._record, entries)

    def write_once(self, event, data):
        """As `write`, but never tried again: a record that follows from those before it must be thought out anew.

        Returns the record.
        """
        with self.lock:
            if self.orphaned():
                raise Refused("the controller is gone")
            return self._record([(event, data)])[0]

    def go_on(self, first):
        """Have the journal go on in a new file that begins with this record, which stands for all before it.

        What was there is put aside at each host. Raises Refused when a majority did not take it.
        """
        with self.lock:
            began, self.run["seq"] = boottime(), None
            self.run["fence"] += 1
            first = replace(first, fence=self.run["fence"], run=self.run["id"])
            agreed(self._everywhere("take", records=[first.line()]), self.excluded)
            self._held, self.run["seq"] = began, first.seq
            return first

    def hold(self):
        """Hold the lease longer, without a record."""
        with self.lock:
            self._surely(self._append, [])

    def release(self):
        """Give the lease back. A host that does not hear it lets it run out."""
        self._everywhere("release")

    def _surely(self, act, *what):
        """Do it, and where too few heard it once more, after the copies were brought together."""
        if self.orphaned():
            raise Refused("the controller is gone")
        try:
            act(*what)
        except Refused as refusal:
            try:
                self.retake()
            except PlatformError:
                raise refusal from None
            act(*what)

    def _record(self, entries):
        first, self.run["seq"] = self.seq + 1, None
        who = (self.run["fence"], self.run["id"])
        records = [Record(seq, *who, event, stamp(), data) for seq, (event, data) in enumerate(entries, first)]
        self._append([record.line() for record in records])
        self.run["seq"] = records[-1].seq
        return records

    def _append(self, lines):
        began = boottime()
        results = self._everywhere("append", records=lines)
        failed = agreed(results, self.excluded)
        self._held = began
        try:
            self._mend({host: results[host] for host in failed})
        except PlatformError:
            # The record is safe; what still does not work is said by the next write.
            return

    def _mend(self, failed):
        """Bring back hosts that a majority went on without."""
        # A host that has granted the lease to somebody who got no majority hears only a newer number than that.
        if any(result.get("fence", 0) >= self.run["fence"] for result in failed.values()):
            self.retake()
            return
        known = ("behind", "expired", "fence")
        self._repair([host for host, result in failed.items() if any(key in result for key in known)])

    def _take(self, ledger):
        """Take it at all hosts, under a fencing number that none of them has heard."""
        began = boottime()
        self.run["fence"], self.run["seq"] = ledger.fence + 1, None
        lines = [record.line() for record in ledger.records]
        results = self.fleet.run(
            {
                host: (MODULE, self._arguments("take", records=lines if host in ledger.behind else None))
                for host in self.run["ledger_hosts"]
                if host not in ledger.problems
            }
        )
        missing = {host: {"failed": True, "msg": problem} for host, problem in ledger.problems.items()}
        agreed({**results, **missing}, self.excluded)
        self._held, self.run["seq"] = began, ledger.tip[1]

    def _repair(self, hosts):
        """Grant it again where it was missed, with all records."""
        if not hosts:
            return
        lines = [record.line() for record in self.read().records]
        self.fleet.run({host: (MODULE, self._arguments("take", records=lines)) for host in hosts})

    def _everywhere(self, action, **more):
        return self.fleet.everywhere(self.run["ledger_hosts"], MODULE, self._arguments(action, **more))

    def _arguments(self, action, **more):
        return {
            "pool": self.run["pool"],
            "action": action,
            "owner": self.run["owner"],
            "run": self.run["id"],
            "fence": self.run["fence"],
            "ttl": self.ttl,
            **{key: value for key, value in more.items() if value is not None},
        }


class Heartbeat:
    """Holds the lease while a long step runs; stops by itself when the controller's main process is gone."""

    def __init__(self, journal):
        self.journal = journal
        self.trouble = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exception):
        self._stop.set()
        self._thread.join(timeout=self.journal.ttl)

    def check(self):
        """Raises what went wrong, if the lease could not be held in time: it may be another's now."""
        if self.journal.left() <= 0:
            raise self.trouble or Refused("the lease was not held in time: no ledger host answered")
        if self.journal.orphaned():
            raise Refused("the controller is gone")

    def _beat(self):
        while not self._stop.wait(self.journal.ttl / 4):
            if self.journal.orphaned():
                return
            try:
                self.journal.hold()
                self.trouble = None
            except PlatformError as error:
                self.trouble = error


def boottime():
    """Seconds since boot, suspended time too: a controller that slept must notice."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def stamp():
    """The wall clock, for people."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def clock(seconds):
    """The wall clock so many seconds from now, as people say it."""
    return datetime.fromtimestamp(time.time() + seconds).strftime("%H:%M:%S")

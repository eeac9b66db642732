# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host's copy of a pool's ledger on disk: `journal` and `lease` in a folder of the pool's name.

A lock makes each call whole; the journal grows by append and fsync, everything else is replaced at once or not at all.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import asdict

from ..atomic import replace
from ..errors import Refused, Unreadable
from .lease import Lease, Moment
from .records import Record, parse_line, parse_log, tip

MAX_JOURNAL = 64 * 1024 * 1024
# Files that are kept of what was put aside. Who needs more takes them away before.
MOST_ARCHIVES = 50
ARCHIVE = re.compile(r"archive-\d{12}")


def now() -> Moment:
    """This host's time since boot. Raises Unreadable where the kernel does not say."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            boot = stream.read().strip()
        return Moment(time.clock_gettime(time.CLOCK_BOOTTIME), boot)
    except OSError as error:
        raise Unreadable("this host does not say how long it has been up: {0}".format(error)) from error


class Store:
    """A pool's ledger on this host. Every method raises Unreadable when the disk or what is on it is in the way."""

    def __init__(self, folder: str, pool: str) -> None:
        self.folder = os.path.join(folder, pool)
        self.journal = os.path.join(self.folder, "journal")
        self.lease_file = os.path.join(self.folder, "lease")

    def lease(self) -> Lease:
        """The lease as granted here; the empty one when none ever was."""
        try:
            with open(self.lease_file, encoding="utf-8") as stream:
                return Lease(**json.load(stream))
        except FileNotFoundError:
            return Lease()
        except (OSError, ValueError, TypeError) as error:
            raise Unreadable("the lease {0} cannot be read: {1}".format(self.lease_file, error)) from error

    def records(self) -> tuple[list[Record], bool]:
        """The journal, and whether its last record was torn."""
        return parse_log(self._read("journal"))

    def take(self, owner: str, run: str, fence: int, ttl: float, lines: list[str] | None) -> Lease:
        """Grant the lease, and replace the journal by `lines` where this copy was behind (None: it was not).

        Raises Refused when it is not to be had, and for lines that are older than the copy; then nothing was changed.
        """
        with self.alone():
            lease = self.lease().take(owner, run, fence, ttl, now())
            if lines is not None:
                self._not_older(lines)
                self._put_aside(lines)
                self._replace(self.journal, "".join(line + "\n" for line in lines))
            self._replace(self.lease_file, json.dumps(asdict(lease)))
            return lease

    def append(self, owner: str, fence: int, ttl: float, lines: list[str]) -> Lease:
        """Add records and hold the lease longer. Without records it is only held longer.

        Records that are there already are passed over, so a write may be repeated. Raises Refused for a late holder,
        and for records that leave a gap (this copy is behind); then nothing was changed.
        """
        with self.alone():
            lease = self.lease().renew(owner, fence, ttl, now())
            have, torn = self.records() if lines else ([], False)
            fresh = _fresh(have, lines)
            # The lease first: on a disk that is full no record was added, and longer held is soon over.
            self._replace(self.lease_file, json.dumps(asdict(lease)))
            if fresh and have and not torn:
                self._add(fresh)
            elif fresh or torn:
                # The first record makes a file; a torn one is left out of a new one.
                whole = [*(record.line() for record in have), *fresh]
                self._replace(self.journal, "".join(line + "\n" for line in whole))
            return lease

    def release(self, owner: str, fence: int) -> None:
        """Give the lease back; its fencing number stays used. Somebody else's is left alone."""
        with self.alone():
            lease = self.lease()
            if (lease.owner, lease.fence) == (owner, fence):
                moment = now()
                given = Lease(lease.fence, lease.owner, lease.run, 0.0, moment.uptime, moment.boot)
                self._replace(self.lease_file, json.dumps(asdict(given)))

    def _not_older(self, lines: list[str]) -> None:
        """A repair that was late must not take back what was added meanwhile. A damaged copy is older than anything."""
        try:
            have, _torn = self.records()
        except Unreadable:
            return
        if tip(have) > tip(parse_line(line) for line in lines):
            raise Refused("this copy of the journal is newer, it ends at record {0}".format(have[-1].seq))

    def _put_aside(self, lines: list[str]) -> None:
        """Keep a journal that goes on in a new file, one that begins after it, as `archive-SEQ`."""
        try:
            have, _torn = self.records()
        except Unreadable:
            return
        if have and lines and parse_line(lines[0]).seq > have[0].seq:
            self.archive(have)

    def archive(self, records: list[Record]) -> None:
        """Put records aside under the number of their last one, and give up the oldest of what was put aside."""
        self.replace("archive-{0:012d}".format(records[-1].seq), "".join(record.line() + "\n" for record in records))
        for name in self.archives()[:-MOST_ARCHIVES]:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self.folder, name))

    def archives(self) -> list[str]:
        """Names of what was put aside, oldest first."""
        try:
            return sorted(name for name in os.listdir(self.folder) if ARCHIVE.fullmatch(name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Unreadable("{0} cannot be read: {1}".format(self.folder, error)) from error

    def _add(self, fresh: list[str]) -> None:
        size = os.path.getsize(self.journal)
        try:
            with open(self.journal, "a", encoding="utf-8") as stream:
                stream.write("".join(line + "\n" for line in fresh))
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            # What a full disk took in part would read as torn; better that it was never there.
            with contextlib.suppress(OSError):
                os.truncate(self.journal, size)
            raise Unreadable("the journal {0} cannot be written: {1}".format(self.journal, error)) from error

    def replace(self, name: str, text: str) -> None:
        """Write a file of the folder whole, or leave it as it was."""
        self._replace(os.path.join(self.folder, name), text)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep everybody else from writing while the block lasts."""
        try:
            os.makedirs(self.folder, mode=0o750, exist_ok=True)
            lock = os.open(os.path.join(self.folder, "lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise Unreadable("the ledger {0} cannot be opened: {1}".format(self.folder, error)) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _read(self, name: str, newline: str | None = None) -> str:
        """A file of the folder, bounded; empty when it is not there. `newline` as `open` has it."""
        path = os.path.join(self.folder, name)
        try:
            with open(path, encoding="utf-8", errors="replace", newline=newline) as stream:
                text = stream.read(MAX_JOURNAL + 1)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise Unreadable("the {0} {1} cannot be read: {2}".format(name, path, error)) from error
        if len(text) > MAX_JOURNAL:
            raise Unreadable("the {0} {1} is longer than {2} bytes".format(name, path, MAX_JOURNAL))
        return text

    def _replace(self, path: str, text: str) -> None:
        try:
            replace(path, text)
        except OSError as error:
            raise Unreadable("{0} cannot be written: {1}".format(path, error)) from error


def _fresh(have: list[Record], lines: list[str]) -> list[str]:
    """Those lines that are not there yet. Raises Refused where they do not go on from what is there."""
    last = have[-1].seq if have else 0
    fresh = [line for line in lines if parse_line(line).seq > last]
    if fresh and parse_line(fresh[0]).seq != last + 1:
        raise Refused("this copy of the journal ends at record {0}".format(last), behind=True)
    known = {record.seq: record for record in have}
    for line in lines:
        record = parse_line(line)
        if known.get(record.seq, record) != record:
            raise Refused("this copy of the journal has another record {0}".format(record.seq), behind=True)
    return fresh

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries an intent out on one balancer: set it in every worker, read it back, wait, save it for the next worker."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

from ..errors import DeadlineExceeded, Refused, Unreadable
from .admin import DrainWatch, Traffic, Wanted, healthy, remaining, traffic
from .client import MasterSocket
from .records import Server, Worker

T = TypeVar("T")
# The servers as each worker sees them, by (backend, server).
Views = dict[Worker, dict[tuple[str, str], Server]]


class Balancer:
    """One balancer, reached through its master socket.

    Args:
        socket: the dialogue.
        state_file: where HAProxy reads server states when it starts; None to save nothing.
        interval: seconds between two readings while waiting.
    """

    def __init__(self, socket: MasterSocket, state_file: str | None, interval: float = 0.2) -> None:
        self.socket = socket
        self.state_file = state_file
        self.interval = interval

    def serving(self) -> tuple[Worker, dict[tuple[str, str], Server]]:
        """The current worker and the servers as it sees them."""

        def read() -> tuple[Worker, dict[tuple[str, str], Server]]:
            worker = self._current_worker()
            return worker, self.socket.servers(worker)

        return self._patiently(read)

    def current(self) -> dict[tuple[str, str], Server]:
        """The servers as the current worker sees them."""
        return self.serving()[1]

    def everyone(self) -> Views:
        """The servers as each worker sees them, old workers too."""
        return self._patiently(lambda: {worker: self.socket.servers(worker) for worker in self.socket.workers()})

    def apply(self, wanted: Wanted) -> tuple[bool, Views]:
        """Bring every worker to the intent and read it back: whether something had to change, and what was read last.

        Raises Refused for a backend or server that HAProxy does not know, and when it does not keep the intent.
        """
        changed = False
        for _attempt in range(5):
            orders, views = self._patiently(lambda: self._give(wanted))
            if not orders:
                # Saved even when nothing was to do: the file may be older than the intent.
                self._save()
                return changed, views
            changed = True
        raise Refused("HAProxy does not keep the intent: {0}".format("; ".join(orders)))

    def wait_capacity(self, wanted: Wanted, floor: int, deadline: float) -> list[str]:
        """Wait until the pool keeps `floor` healthy servers without the wanted ones; return their names.

        Raises Refused after `deadline` seconds: the step would cross the capacity floor. Nothing was changed.
        """
        end = time.monotonic() + deadline
        while True:
            view = self.current()
            wanted.check(view)
            left = remaining(wanted, view)
            if len(left) >= floor:
                return left
            if time.monotonic() >= end:
                raise Refused(
                    "taking {0} out of {1} would leave {2} healthy ({3}), below min_available {4}".format(
                        ", ".join(wanted.servers), wanted.backend, len(left), ", ".join(left) or "none", floor
                    ),
                    remaining=left,
                    min_available=floor,
                )
            time.sleep(self.interval)

    def wait_drained(self, wanted: Wanted, deadline: float) -> tuple[Traffic, float]:
        """Wait until nothing runs at the servers in any worker. A reload in between gets the intent again.

        Returns the last sample, and the seconds after which they were empty; the sample's `open` is not zero when
        the deadline (seconds) came first.
        """
        watch = DrainWatch()
        began = emptied = time.monotonic()
        end = began + deadline
        while True:
            sample = None
            try:
                sample = traffic(wanted, self.apply(wanted)[1])
                drained = watch.see(sample)
                if watch.zeros <= 1:
                    emptied = time.monotonic()
                if drained:
                    return sample, emptied - began
            except Unreadable:
                watch.lost()
                if time.monotonic() >= end:
                    raise
            if sample is not None and time.monotonic() >= end:
                return sample, time.monotonic() - began
            time.sleep(self.interval)

    def wait_healthy(self, wanted: Wanted, deadline: float) -> dict[tuple[str, str], Server]:
        """Wait until every wanted server passes its checks; return the servers as the current worker saw them then.

        Raises DeadlineExceeded with what each one shows.
        """
        end = time.monotonic() + deadline
        while True:
            view = self.current()
            good, waiting = healthy(wanted, view)
            if good:
                return view
            if time.monotonic() >= end:
                raise DeadlineExceeded("not healthy at the balancer after {0:g} s: {1}".format(deadline, waiting))
            time.sleep(self.interval)

    def _current_worker(self) -> Worker:
        return next(worker for worker in self.socket.workers() if worker.current)

    def _give(self, wanted: Wanted) -> tuple[list[str], Views]:
        """Give what each worker lacks; return what the current one lacked, and every worker's view from before.

        An old worker without the role's Lua command refuses: then it stays in traffic, and a drain is not over
        before that worker has ended.
        """
        given, views = [], {}
        for worker in self.socket.workers():
            view = views[worker] = self.socket.servers(worker)
            if worker.current:
                wanted.check(view)
            commands = wanted.commands(view, worker.current)
            try:
                self.socket.order(commands, worker)
            except Refused:
                if worker.current:
                    raise
            if worker.current:
                given += commands
        return given, views

    def _save(self) -> None:
        if self.state_file:
            path = self.state_file
            self._patiently(lambda: self.socket.save_state(path, self._current_worker()))

    def _patiently(self, read: Callable[[], T]) -> T:
        """Try again for one time-out: around a reload a worker may end, or not yet answer, after it was listed."""
        end = time.monotonic() + self.socket.timeout
        while True:
            try:
                return read()
            except Unreadable:
                if time.monotonic() >= end:
                    raise
            time.sleep(self.interval)

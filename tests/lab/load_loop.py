# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The open loop: requests leave at times fixed in advance, whatever became of those before; beside it, some streams."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from .load_client import Attempt, Client
from .load_record import OK, Outcome, Record

PROGRESS_EVERY_S = 5.0
# Between the start of one stream and the next, and before a stream replaces one that failed at once.
STREAM_PAUSE_S = 0.25
# How much a newly observed token rate counts against what was known.
RATE_WEIGHT = 0.3
SHORTEST_STREAM = 16


@dataclass(frozen=True)
class Plan:
    """What to send, and to whom. `rate` per second; `duration` None means until stopped; all times in seconds."""

    url: str
    name: str
    rate: float = 100.0
    streams: int = 8
    stream_seconds: tuple[float, ...] = (4.0, 25.0)
    token_rate: float = 20.0
    stream_tokens_max: int = 3000
    duration: float | None = None
    timeout: float = 10.0
    deadline: float = 120.0
    model: str = "default"


class Load:
    """One run. `stop` lets what is under way end, `abandon` does not; either way every request has its one fate."""

    def __init__(self, plan: Plan, tell: Callable[[str], None]) -> None:
        self._plan = plan
        self._tell = tell
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        self._token_rate = plan.token_rate
        self._loop = asyncio.get_running_loop()
        self._stopped: asyncio.Future[None] = self._loop.create_future()
        self._broken: BaseException | None = None
        self._client = Client(plan.url, plan.model, plan.timeout, plan.deadline)
        self._began = self._loop.time()
        self.record = Record(self._began, time.time())

    def stop(self) -> None:
        """Send no more."""
        if not self._stopped.done():
            self._stopped.set_result(None)

    def stopped(self) -> bool:
        """Whether it sends no more."""
        return self._stopped.done()

    def abandon(self) -> None:
        """Send no more, and give up what is under way."""
        self.stop()
        # A task cancelled before its first step never runs, and its request would have no fate: let all take that step.
        self._loop.call_soon(self._cancel)

    async def run(self) -> dict[str, Any]:
        """Send until stopped, wait until everything sent has its fate, and return the whole result."""
        progress = asyncio.create_task(self._progress())
        for slot in range(self._plan.streams):
            self._begin(self._keep_streaming(slot))
        try:
            await self._send_on_time()
            stopped = self._loop.time()
            self.stop()
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            progress.cancel()
            await self._client.close()
        if self._broken:
            raise self._broken
        self._tell(self._line())
        return self.record.result(stopped, self._loop.time())

    async def _send_on_time(self) -> None:
        began = self._loop.time()
        for number in itertools.count():
            due = began + number / self._plan.rate
            over = self._plan.duration is not None and due - began >= self._plan.duration
            if over or await self._stopped_before(due):
                return
            self.record.request_sent(due, self._loop.time())
            self._begin(self._request(number, due))
            # Late, it would send all that is due and let nothing else run.
            await asyncio.sleep(0)

    async def _request(self, number: int, due: float) -> None:
        attempt = Attempt(self._next_id())
        await self._client.complete(attempt, fresh=number % 2 == 1)
        self.record.request_ended(self._outcome(attempt, due))

    async def _keep_streaming(self, slot: int) -> None:
        seconds = self._plan.stream_seconds[slot % len(self._plan.stream_seconds)]
        if await self._stopped_before(self._loop.time() + slot * STREAM_PAUSE_S):
            return
        while not self._stopped.done():
            attempt, due = Attempt(self._next_id()), self._loop.time()
            tokens = min(max(round(seconds * self._token_rate), SHORTEST_STREAM), self._plan.stream_tokens_max)
            self.record.streams_started += 1
            # By pairs of slots, so that short streams and long ones both come on kept and on fresh connections.
            await self._client.stream(attempt, fresh=slot // 2 % 2 == 1, max_tokens=tokens)
            outcome = self._outcome(attempt, due)
            self.record.stream_ended(outcome)
            self._learn(attempt, outcome)
            if attempt.fate == "abandoned" or (
                attempt.fate != OK and await self._stopped_before(self._loop.time() + STREAM_PAUSE_S)
            ):
                return

    def _learn(self, attempt: Attempt, outcome: Outcome) -> None:
        if attempt.fate == OK and attempt.answered is not None:
            seen = attempt.tokens / max(outcome.ended - attempt.answered, 0.001)
            self._token_rate += RATE_WEIGHT * (seen - self._token_rate)

    async def _stopped_before(self, at: float) -> bool:
        """Wait until the clock shows `at`, or less when the run is stopped; then True."""
        wait = at - self._loop.time()
        if wait > 0:
            await asyncio.wait((self._stopped,), timeout=wait)
        return self._stopped.done()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._broken = error
            self.stop()

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _progress(self) -> None:
        while True:
            self._tell(self._line())
            await asyncio.sleep(PROGRESS_EVERY_S)

    def _line(self) -> str:
        record, now = self.record, self._loop.time()
        state = "waiting for the last" if self._stopped.done() else "sending"
        return (
            f"{now - self._began:.0f} s, {state}: {record.requests_sent} requests, {record.failed()} failed; "
            f"{record.streams_started} streams, {record.streams_open()} open, {record.cut()} cut"
        )

    def _next_id(self) -> str:
        return f"{self._plan.name}-{next(self._numbers)}"

    def _outcome(self, attempt: Attempt, due: float) -> Outcome:
        return Outcome(
            attempt.id, attempt.fate, due, self._loop.time(), attempt.answered, attempt.server, attempt.detail
        )

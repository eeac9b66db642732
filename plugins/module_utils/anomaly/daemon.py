# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks, judges, shows, remembers; every interval, until it is told to end."""

from __future__ import annotations

import os
import random
import resource
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import PlatformError, Unreadable
from ..exposition import labels
from . import answers, exposition, state
from .client import Prometheus
from .pace import Freeze
from .packing import number
from .page import Page
from .registry import Registry
from .settings import Query, Settings

# The halves of trees are the same in every life, or what they counted would mean nothing.
SEED = 20090626
FREEZE = "freeze"


class Daemon:
    """The detector.

    Args:
        settings: what it is told to do. Raises Unreadable when a file that they name cannot be read.
        log: where lines for people go.
        clock: seconds since 1970.
    """

    def __init__(self, settings: Settings, log: Callable[[str], None], clock: Callable[[], float] = time.time) -> None:
        self.settings, self.log, self.clock = settings, log, clock
        self.prometheus = Prometheus(settings)
        self.status = exposition.Status()
        self.freeze = Freeze(settings.settle)
        self.registry = self._empty()
        self.stop = threading.Event()
        self._trouble: dict[str, str] = {}

    def _empty(self) -> Registry:
        # No secret: the same numbers each time are the point.
        return Registry(self.settings, random.Random(SEED).random, labels)  # noqa: S311

    def serve(self) -> None:
        """Run until `stop` is set, then write down what was learned. Raises OSError without the address."""
        with Page(self.settings.listen_address, self.settings.listen_port) as page:
            threading.Thread(target=page.serve_forever, daemon=True).start()
            self.log("shows its metrics at {0}:{1}".format(*page.server_address[:2]))
            self.restore()
            due = saved = time.monotonic()
            while not self.stop.is_set():
                page.text = self.run()
                if time.monotonic() - saved >= self.settings.save_every:
                    self.save()
                    saved = time.monotonic()
                # Runs that were missed are not made up for.
                due += self.settings.interval
                due = max(due, time.monotonic())
                self.stop.wait(due - time.monotonic())
            page.shutdown()
        self.save()

    def run(self) -> bytes:
        """Ask and judge once; what is to be shown."""
        began = time.monotonic()
        self.prometheus.begin()
        now = self.clock()
        frozen = self._frozen(now)
        if frozen != self.status.frozen:
            self.log("learning rests: a rollout runs" if frozen else "learning goes on")
        self.status.frozen = frozen
        for query in self.settings.queries:
            if self.stop.is_set():
                break
            self._one(query, now, not frozen)
        self.status.last_run = self.clock()
        self.status.run_seconds = time.monotonic() - began
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.status.cpu_seconds, self.status.resident_bytes = used.ru_utime + used.ru_stime, resident()
        return exposition.render(self.registry, self.status)

    def _one(self, query: Query, now: float, learn: bool) -> None:
        try:
            if query.kind == "features":
                columns = [self.prometheus.ask(each.query, answers.samples) for each in query.features]
                twice = self.registry.take_features(query, columns, now, learn)
            else:
                twice = self.registry.take(query, self.prometheus.ask(query.query, answers.samples), now, learn)
        except Unreadable as error:
            self.registry.unanswered.add(query.name)
            self._failed(query.name, error.evidence["reason"], error.message)
            return
        except (ArithmeticError, ValueError, LookupError, TypeError, MemoryError) as error:
            # Whatever one answer has brought to light must not end the judgement of all the others.
            self.registry.unanswered.add(query.name)
            self._failed(query.name, "internal", "{0}: {1}".format(type(error).__name__, error))
            return
        if twice:
            self._failed(query.name, "duplicate", "{0} samples differ only in labels that are not kept".format(twice))
        elif self._trouble.pop(query.name, None):
            self.log("{0} is answered again".format(query.name))

    def _frozen(self, now: float) -> bool:
        runs: bool | None = False
        if self.settings.freeze_query:
            try:
                runs = self.prometheus.ask(self.settings.freeze_query, answers.says_yes)
                self._trouble.pop(FREEZE, None)
            except Unreadable as error:
                runs = None
                self._failed(FREEZE, error.evidence["reason"], error.message)
        return self.freeze.look(runs, now)

    def _failed(self, name: str, reason: str, message: str) -> None:
        """Count it, and say it once."""
        place = (name, reason)
        self.status.failures[place] = self.status.failures.get(place, 0) + 1
        if self._trouble.get(name) != reason:
            self.log("{0} has no answer: {1}".format(name, message))
        self._trouble[name] = reason

    def save(self) -> None:
        """Write down what was learned. What is in the way is said, and tried again next time."""
        if not self.settings.state_file:
            return
        now = self.clock()
        try:
            state.save(
                self.settings.state_file, {"saved": now, "frozen_until": self.freeze.until}, self.registry.dump()
            )
            self.status.saved = now
        except OSError as error:
            self.log("what was learned cannot be written to {0}: {1}".format(self.settings.state_file, error))

    def restore(self, put_aside: bool = True) -> None:
        """Go on from what was written down; anew when it cannot be trusted."""
        path = self.settings.state_file
        if not path:
            return
        try:
            self._load(state.load(path))
        except (PlatformError, ValueError, TypeError, LookupError, ArithmeticError) as error:
            self.registry, self.freeze = self._empty(), Freeze(self.settings.settle)
            self.status.saved = 0.0
            told = error.message if isinstance(error, PlatformError) else "{0}: {1}".format(type(error).__name__, error)
            self.log("{0} is of no use: {1}. Learning begins anew".format(path, told))
            if put_aside:
                self._put_aside(path)

    def _load(self, records: Iterator[Any]) -> None:
        header = next(records, None)
        if header is None:
            self.log("nothing is remembered: learning begins")
            return
        now = self.clock()
        self.status.saved = number(header, "saved", 0.0)
        self.freeze = Freeze(self.settings.settle, number(header, "frozen_until", 0.0))
        for record in records:
            self.registry.load(record)
        told = "goes on with {0} series as they were {1:.0f} s ago"
        self.log(told.format(len(self.registry), now - self.status.saved))

    def _put_aside(self, path: str) -> None:
        try:
            self.log("it is kept as {0}".format(state.put_aside(path)))
        except OSError as error:
            self.log("it cannot be put aside: {0}".format(error))


def resident() -> float:
    """Bytes of memory that this process has now; 0 where the kernel does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as stream:
            return float(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0.0

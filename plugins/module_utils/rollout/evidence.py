# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the balancers counted while a batch baked: readings in, sums out, whatever restarts in between. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import Unreadable
from .statistics import unmixed_mean

# HAProxy counts in 64 bits; more is no counter of its.
LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Reading:
    """One server at one balancer at one moment. Counters since the worker began, averages in milliseconds.

    HAProxy's stot; hrsp_5xx + econ + eresp; chkdown; rtime (to the response's first byte); qtime.
    """

    worker: int
    requests: int
    errors: int
    downs: int
    response_ms: float
    queue_ms: float

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Reading:
        """Read one. Raises Unreadable for a field that is missing or no count or time."""
        return cls(
            worker=_count(found, "worker"),
            requests=_count(found, "requests"),
            errors=_count(found, "errors"),
            downs=_count(found, "downs"),
            response_ms=_time(found, "response_ms"),
            queue_ms=_time(found, "queue_ms"),
        )

    def continues(self, last: Reading) -> bool:
        """False when the counters began anew in between: another worker, or one of them is smaller."""
        return self.worker == last.worker and all(
            new >= old
            for new, old in (
                (self.requests, last.requests),
                (self.errors, last.errors),
                (self.downs, last.downs),
            )
        )


@dataclass(frozen=True)
class Totals:
    """What some servers did during a window. `response_ms` is None when too few requests came to say.

    Errors may exceed requests: a request counts when it begins, an error when it ends.
    """

    requests: int = 0
    errors: int = 0
    downs: int = 0
    response_ms: float | None = None


@dataclass
class _Track:
    """One server at one balancer. `start` is where the present worker's part begins; `timed` are parts before it."""

    start: Reading
    last: Reading
    requests: int = 0
    errors: int = 0
    downs: int = 0
    timed: int = 0
    timed_ms: float = 0.0

    def add(self, reading: Reading) -> None:
        """Count what is new; after a restart that is everything the new counters hold."""
        if not reading.continues(self.last):
            self.timed, self.timed_ms = self.times()
            self.start = self.last = Reading(reading.worker, 0, 0, 0, 0.0, 0.0)
        self.requests += reading.requests - self.last.requests
        self.errors += reading.errors - self.last.errors
        self.downs += reading.downs - self.last.downs
        self.last = reading

    def times(self) -> tuple[int, float]:
        """Requests whose time is known, and the sum of their times in milliseconds."""
        count = self.last.requests - self.start.requests
        mean = unmixed_mean(self.start.response_ms, self.last.response_ms, count, seen=self.start.requests)
        if mean is None:
            return self.timed, self.timed_ms
        return self.timed + count, self.timed_ms + mean * count


@dataclass
class Window:
    """Sums per balancer and server since the first reading of each, which itself counts nothing."""

    _tracks: dict[tuple[str, str], _Track] = field(default_factory=dict)

    def add(self, balancer: str, readings: Mapping[str, Reading]) -> None:
        """Take one look at one balancer: server name to its reading."""
        for server, reading in readings.items():
            track = self._tracks.setdefault((balancer, server), _Track(reading, reading))
            track.add(reading)

    def totals(self, servers: Iterable[str]) -> Totals:
        """Sums over all balancers and these servers; the time is the mean over requests."""
        wanted = set(servers)
        tracks = [track for (_balancer, server), track in sorted(self._tracks.items()) if server in wanted]
        times = [track.times() for track in tracks]
        timed = sum(count for count, _ms in times)
        return Totals(
            requests=sum(track.requests for track in tracks),
            errors=sum(track.errors for track in tracks),
            downs=sum(track.downs for track in tracks),
            response_ms=sum(ms for _count, ms in times) / timed if timed else None,
        )


def _mapping(value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise Unreadable("a mapping was expected, not {0}".format(_shown(value)))
    return value


def _count(found: Any, name: str) -> int:
    value = _mapping(found).get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST:
        raise Unreadable("{0} is {1}, not a count".format(name, _shown(value)))
    return value


def _time(found: Any, name: str) -> float:
    value = _mapping(found).get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= LARGEST:
        raise Unreadable("{0} is {1}, not a time".format(name, _shown(value)))
    return float(value)


def _shown(value: Any) -> str:
    # Python refuses to print a number of thousands of digits.
    huge = isinstance(value, int) and abs(value) > LARGEST
    return "missing" if value is None else "too large" if huge else repr(value)[:100]

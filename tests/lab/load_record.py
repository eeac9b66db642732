# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of every request: counted, timed and summed up. Pure: every time is an argument, in seconds."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

OK = "ok"
SAMPLES = 50
# Answers of one server closer together than this are one stretch of activity; at 30 answers a second a pause this
# long is no accident, and much shorter than any change of a release.
ACTIVITY_PAUSE_S = 0.25


@dataclass(frozen=True)
class Outcome:
    """The one fate of one request. Times are readings of one monotonic clock; `answered` is when the headers came."""

    id: str
    fate: str
    due: float
    ended: float
    answered: float | None = None
    server: str | None = None
    detail: str = ""


@dataclass
class Activity:
    """When one server was seen to answer: a count a second, and stretches without a pause."""

    ok: int = 0
    per_second: Counter[int] = field(default_factory=Counter)
    stretches: list[list[float]] = field(default_factory=list)
    streams: list[tuple[float, float]] = field(default_factory=list)

    def answered(self, at: float) -> None:
        """One good answer, `at` seconds after the beginning; calls come in the order of time."""
        self.ok += 1
        self.per_second[int(at)] += 1
        if self.stretches and at - self.stretches[-1][1] <= ACTIVITY_PAUSE_S:
            self.stretches[-1][1] = at
        else:
            self.stretches.append([at, at])

    def as_dict(self, seconds: int) -> dict[str, Any]:
        """Times in milliseconds after the beginning."""
        return {
            "ok": self.ok,
            "per_second": [self.per_second[second] for second in range(seconds)],
            "active_ms": [[_ms(first), _ms(last)] for first, last in self.stretches],
            "streams_ms": [[_ms(first), _ms(last)] for first, last in self.streams],
        }


class Record:
    """Takes the sends and outcomes of one run as they happen. `began` is the clock's reading, `wall` the epoch's."""

    def __init__(self, began: float, wall: float) -> None:
        self._began = began
        self._wall = wall
        self.requests_sent = 0
        self.streams_started = 0
        self.requests: Counter[str] = Counter()
        self.streams: Counter[str] = Counter()
        self._latencies = array("d")
        self._lags = array("d")
        self._stream_seconds = array("d")
        self._last_ok = began
        self._gap = (0.0, began)
        self._servers: dict[str, Activity] = {}
        self._samples: list[dict[str, Any]] = []

    def request_sent(self, due: float, sent: float) -> None:
        """A request is on its way; `sent - due` is the client's own lateness."""
        self.requests_sent += 1
        self._lags.append(sent - due)

    def request_ended(self, outcome: Outcome) -> None:
        """The fate of a request sent before. Latency counts from when it was due: a late client hides nothing."""
        self.requests[outcome.fate] += 1
        if outcome.fate != OK:
            self._sample("request", outcome)
            return
        self._latencies.append(outcome.ended - outcome.due)
        self._look_for_gap(outcome.ended)
        if outcome.server:
            self._activity(outcome.server).answered(outcome.ended - self._began)

    def stream_ended(self, outcome: Outcome) -> None:
        """The fate of a stream started before."""
        self.streams[outcome.fate] += 1
        if outcome.fate == OK:
            self._stream_seconds.append(outcome.ended - outcome.due)
        else:
            self._sample("stream", outcome)
        if outcome.server and outcome.answered is not None:
            stretch = (outcome.answered - self._began, outcome.ended - self._began)
            self._activity(outcome.server).streams.append(stretch)

    def failed(self) -> int:
        """Requests that have ended and were not answered well."""
        return self.requests.total() - self.requests[OK]

    def cut(self) -> int:
        """Streams that have ended, and not as they should."""
        return self.streams.total() - self.streams[OK]

    def streams_open(self) -> int:
        """Streams whose fate is not known yet."""
        return self.streams_started - self.streams.total()

    def result(self, stopped: float, ended: float) -> dict[str, Any]:
        """The whole run. `stopped` is when the last request had been sent, `ended` when the last one had its fate."""
        # Without this an outage that outlives the run would not be a gap.
        self._look_for_gap(stopped)
        gap, gap_from = self._gap
        seconds = math.ceil(ended - self._began)
        return {
            "started_at": self._stamp(self._began),
            "started_epoch": self._epoch(self._began),
            "stopped_at": self._stamp(stopped),
            "ended_at": self._stamp(ended),
            "seconds": round(stopped - self._began, 3),
            "requests": {
                "sent": self.requests_sent,
                "ok": self.requests[OK],
                "failed": self.failed(),
                "by_fate": dict(sorted(self.requests.items())),
                "latency_ms": _percentiles(self._latencies, (50, 95, 99)),
                "lag_ms": _percentiles(self._lags, (50, 99)),
            },
            "streams": {
                "started": self.streams_started,
                "ok": self.streams[OK],
                "cut": self.cut(),
                "by_fate": dict(sorted(self.streams.items())),
                "seconds": {
                    "p50": _rounded(percentile(self._stream_seconds, 50)),
                    "max": _rounded(max(self._stream_seconds, default=None)),
                },
            },
            "longest_gap_s": round(gap, 3),
            "longest_gap_at": self._stamp(gap_from),
            "servers": {name: activity.as_dict(seconds) for name, activity in sorted(self._servers.items())},
            "samples": self._samples,
        }

    def _look_for_gap(self, now: float) -> None:
        gap = now - self._last_ok
        if gap > self._gap[0]:
            self._gap = (gap, self._last_ok)
        self._last_ok = max(self._last_ok, now)

    def _activity(self, server: str) -> Activity:
        return self._servers.setdefault(server, Activity())

    def _sample(self, kind: str, outcome: Outcome) -> None:
        if len(self._samples) < SAMPLES:
            self._samples.append(
                {
                    "id": outcome.id,
                    "kind": kind,
                    "at": self._stamp(outcome.ended),
                    "seconds": round(outcome.ended - outcome.due, 3),
                    "fate": outcome.fate,
                    "server": outcome.server,
                    "detail": outcome.detail[:200],
                }
            )

    def _epoch(self, at: float) -> float:
        return round(self._wall + at - self._began, 3)

    def _stamp(self, at: float) -> str:
        return datetime.fromtimestamp(self._epoch(at), timezone.utc).isoformat(timespec="milliseconds")


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Nearest rank: the smallest value that `percent` of them do not exceed. None when there are none."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def _percentiles(seconds: Sequence[float], percents: Sequence[int]) -> dict[str, float | None]:
    ordered = sorted(seconds)
    found = {f"p{percent}": percentile(ordered, percent) for percent in percents}
    found["max"] = ordered[-1] if ordered else None
    return {name: None if value is None else round(value * 1000, 1) for name, value in found.items()}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)

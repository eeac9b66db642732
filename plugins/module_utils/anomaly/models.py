# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered of one series, one class a kind of query. All have the same face: see, verdict, dump, load."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from typing import Any

from .consensus import SILENT, Series, Verdict, Votes
from .pace import Pace
from .packing import SINGLE, number, pack, unpack
from .score import Score, unready
from .settings import Query
from .trees import HalfSpaceTrees
from .trend import Trend, fit, seconds_to

# Samples that a trend is drawn through; the pairs of them are 2,556.
TREND_SAMPLES = 72
LONGEST_ETA_S = 1e9


class Model:
    """What every kind has.

    Attributes:
        verdict: what was said last.
        seen: samples that were learned.
    """

    __slots__ = ("pace", "seen", "verdict")

    def __init__(self) -> None:
        self.pace, self.verdict, self.seen = Pace(), SILENT, 0

    def miss(self, query: Query, now: float) -> None:
        """There is no value. What was said last is true for a step, and then nothing is."""
        if self.pace.missed(now, query.step) > query.step:
            self.verdict = SILENT

    def dump(self) -> dict[str, Any]:
        """What it has learned, as JSON has it."""
        return {"last": self.pace.last, "seen": self.seen}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from an earlier `dump`. Raises ValueError when it is none."""
        self.pace.last = None if state.get("last") is None else int(number(state, "last", 0, 1e12))
        self.seen = int(number(state, "seen", 0, 1e15))


class Single(Model):
    """A series by itself."""

    __slots__ = ("series",)

    def __init__(self, query: Query) -> None:
        super().__init__()
        self.series = Series(query.period, query.resolution, counts=query.counts, direction=query.direction)

    def see(self, query: Query, value: float | None, now: float, learn: bool, gap: float) -> None:
        """A value at a time. One step is judged once; in between only what goes to nothing is seen."""
        if value is None:
            self.miss(query, now)
            return
        if self.pace.missed(now, query.step) > gap:
            self.series.forget_the_last_hours()
        step = self.pace.fresh(now, query.step)
        if step is not None:
            self.verdict = self.series.observe(value, step, learn)
            self.seen = self.series.seen
        elif self.verdict.ready:
            self.verdict = self.verdict.gone(self.series.gone(value))

    def dump(self) -> dict[str, Any]:
        """What it has learned, as JSON has it."""
        return {**super().dump(), "series": self.series.dump()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from an earlier `dump`. Raises ValueError when it is none."""
        super().load(state)
        if not isinstance(state.get("series"), Mapping):
            raise ValueError("a series has no state")
        self.series.load(state["series"])
        self.seen = self.series.seen


class Peer(Model):
    """A member of a group; the comparison is made for the whole group at once."""

    __slots__ = ("votes",)

    def __init__(self) -> None:
        super().__init__()
        self.votes = Votes()

    def hear(self, query: Query, score: Score | None, now: float) -> None:
        """What comparing has found at a time; None when there was no value."""
        if score is None:
            self.miss(query, now)
            return
        insists = self.verdict.anomalous
        if self.pace.fresh(now, query.step) is not None:
            insists = self.votes.add("peers", score) > 0
            self.seen += 1
        self.verdict = Verdict(insists, ("peers",) if insists else (), {"peers": score}, score.ready)


class Limit(Model):
    """What will reach its limit. Trends are learned during rollouts too: a disk that fills up does not wait."""

    __slots__ = ("_at", "_values", "eta")

    def __init__(self) -> None:
        super().__init__()
        # Steps, not seconds: those would be rounded to minutes.
        self._at, self._values = array("q"), array(SINGLE)
        self.eta = math.inf

    def see(self, query: Query, value: float | None, now: float) -> None:
        """A value at a time."""
        if value is None:
            self.miss(query, now)
            return
        step = self.pace.fresh(now, query.step)
        if step is None:
            return
        # Neither what is old nor what a wrong clock has numbered.
        kept = [place for place, at in enumerate(self._at) if step - 2 * TREND_SAMPLES < at < step][1 - TREND_SAMPLES :]
        self._at = array("q", [self._at[place] for place in kept])
        self._values = array(SINGLE, [self._values[place] for place in kept])
        self._at.append(step)
        self._values.append(value)
        self.seen += 1
        self._judge(query, value, fit([((at - step) * query.step, each) for at, each in zip(self._at, self._values)]))

    def _judge(self, query: Query, value: float, trend: Trend | None) -> None:
        sign = -1 if query.direction == "down" else 1
        if sign * value >= sign * query.limit:
            self.eta = 0.0
        else:
            eta = seconds_to(query.limit, trend)
            # Beyond decades it is a slope of nothing.
            self.eta = eta if eta < LONGEST_ETA_S else math.inf
        harmless = query.past is not None and sign * value < sign * query.past
        horizon = query.horizons[-1]
        score = 0.0 if harmless or math.isinf(self.eta) else horizon / max(self.eta, 1.0)
        reached = not harmless and self.eta <= horizon
        ready = trend is not None or self.eta == 0
        found = unready(value) if not ready else Score(score, value, -math.inf, math.inf)
        self.verdict = Verdict(reached and ready, ("trend",) if reached and ready else (), {"trend": found}, ready)

    def dump(self) -> dict[str, Any]:
        """What it has learned, as JSON has it."""
        return {**super().dump(), "at": list(self._at), "values": pack(self._values)}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from an earlier `dump`. Raises ValueError when it is none."""
        super().load(state)
        values, at = unpack(state.get("values", ""), TREND_SAMPLES), state.get("at", [])
        if not isinstance(at, list) or len(at) != len(values):
            raise ValueError("a trend has as many times as values")
        steps = [int(number({"at": each}, "at", 0, 1e12)) for each in at]
        self._at, self._values = array("q", steps), values


class Features(Model):
    """A node's features together."""

    __slots__ = ("score", "trees")

    def __init__(self, trees: HalfSpaceTrees) -> None:
        super().__init__()
        self.trees = trees
        self.score: float | None = None

    def see(self, query: Query, values: list[float | None], now: float, learn: bool) -> None:
        """All features' values at a time."""
        known = [value for value in values if value is not None]
        if len(known) < len(query.features):
            self.score = None
        elif self.pace.fresh(now, query.step) is not None:
            scaled = [(value - each.low) / (each.high - each.low) for value, each in zip(known, query.features)]
            self.score = self.trees.observe(scaled, learn)
            self.seen = self.trees.seen

    def dump(self) -> dict[str, Any]:
        """What it has learned, as JSON has it."""
        return {**super().dump(), "trees": self.trees.dump()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from an earlier `dump`. Raises ValueError when it is none."""
        super().load(state)
        if not isinstance(state.get("trees"), Mapping):
            raise ValueError("trees have no state")
        self.trees.load(state["trees"])
        self.seen = self.trees.seen

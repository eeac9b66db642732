# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values against the same time of earlier days (or weeks): a value that is normal at noon is none at night.

Source: Holt (1957) and Winters (1960), additive exponential smoothing; residuals clipped before they train it, as
Gelper, Fried and Croux, "Robust Forecasting with Exponential and Holt-Winters Smoothing" (2010), have it.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from typing import Any

from .packing import SINGLE, number, pack, part, unpack, valid
from .robust import Robust
from .score import Score, floored, judged, median, unready, usable

# Samples after a gap in which smoothing finds its level again and does not judge.
REST = 12
# Where what is expected changes by more than a bound within the slack, the time of day is in doubt, not only the value.
EDGE = 1.0
# A short period has no room for much slack.
SLACKS = 48


class Seasonal:
    """The median of the same time of earlier periods is expected; the residuals' spread says what is normal.

    What begins every day begins a little sooner or later: a value is also as expected when it is so `slack` samples
    before or after.

    Args:
        period: samples in a period.
        keep: earlier periods that are remembered.
        least: periods before it judges.
        slack: samples that a time may be off.
        residuals: a detector for what is left; it also says how large a deviation is normal.
    """

    __slots__ = ("_medians", "_slots", "keep", "least", "period", "residuals", "slack")

    def __init__(
        self, period: int, keep: int = 5, least: int = 3, slack: int = 4, residuals: Robust | None = None
    ) -> None:
        self.period, self.keep, self.least = period, keep, least
        self.slack = min(slack, period // SLACKS)
        self.residuals = residuals or Robust(size=min(period, 360))
        # NaN where nothing is remembered; the latest of a slot comes last.
        self._slots = array(SINGLE, [math.nan]) * (period * keep)
        # Of each slot; infinite where it has to be looked up again.
        self._medians = array(SINGLE, [math.nan]) * period

    def observe(self, value: float | None, number: int, learn: bool = True) -> Score:
        """Judge the sample of this number (time over the interval), then remember it, unless `learn` is off."""
        if value is None or not usable(value):
            return unready(0.0)
        place = number % self.period
        score = unready(value)
        expected = self._expected(place)
        if not math.isnan(expected):
            seen = self.residuals.observe(value - expected, learn)
            if seen.ready:
                # A spread around nothing has no fraction of itself for a floor; the level has.
                reach = max(seen.upper - seen.expected, self.residuals.threshold * self.residuals.floor * abs(expected))
                lower, upper = self._around(place, expected)
                if upper - lower < EDGE * reach:
                    lower = upper = expected
                lower, upper = lower + seen.expected, upper + seen.expected
                beyond = max(lower - value, value - upper, 0.0)
                score = Score(beyond / reach, expected + seen.expected, lower - reach, upper + reach)
        if learn:
            start, end = place * self.keep, (place + 1) * self.keep
            self._slots[start : end - 1] = self._slots[start + 1 : end]
            self._slots[end - 1] = value
            self._medians[place] = math.inf
        return score

    def _expected(self, place: int) -> float:
        """The median of earlier periods; NaN where too few are known."""
        found = self._medians[place]
        if found == math.inf:
            slot = self._slots[place * self.keep : (place + 1) * self.keep]
            known = sorted([each for each in slot if not math.isnan(each)])
            found = self._medians[place] = median(known) if len(known) >= self.least else math.nan
        return found

    def _around(self, place: int, expected: float) -> tuple[float, float]:
        """The least and the greatest that is expected a little sooner or later."""
        near = [self._expected(each % self.period) for each in range(place - self.slack, place + self.slack + 1)]
        known = [each for each in near if not math.isnan(each)]
        return min(known, default=expected), max(known, default=expected)

    def dump(self) -> dict[str, Any]:
        """What it has learned, as JSON has it."""
        return {"slots": pack(self._slots), "residuals": self.residuals.dump()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from an earlier `dump` with the same period; another one is begun anew. Raises ValueError."""
        slots = unpack(state.get("slots", ""), 2**20)
        if len(slots) != len(self._slots):
            return
        valid(slots, gaps=True)
        self._slots, self._medians = slots, array(SINGLE, [math.inf]) * self.period
        self.residuals.load(part(state, "residuals"))


class HoltWinters:
    """Level, trend and season by exponential smoothing; a residual of more than `threshold` deviations is anomalous.

    Args:
        period: samples in a period.
        alpha: weight of a sample in the level.
        beta: weight in the trend.
        gamma: weight in the season.
        threshold: standard deviations that are normal.
        clip: a residual counts as so many deviations at most when it is learned.
        floor: least standard deviation, as a fraction of what is expected.
        resolution: least standard deviation, in the value's unit; > 0.
    """

    __slots__ = (
        "_first", "alpha", "beta", "clip", "floor", "gamma", "level", "period", "resolution", "rest", "season", "seen",
        "threshold", "trend", "variance",
    )  # fmt: skip

    def __init__(
        self,
        period: int,
        alpha: float = 0.2,
        beta: float = 0.01,
        gamma: float = 0.2,
        threshold: float = 3.65,
        clip: float = 3.0,
        floor: float = 0.01,
        resolution: float = 1e-9,
    ) -> None:
        self.period, self.alpha, self.beta, self.gamma = period, alpha, beta, gamma
        self.threshold, self.clip, self.floor, self.resolution = threshold, clip, floor, resolution
        self.level = self.trend = self.variance = 0.0
        self.season = array(SINGLE, [0.0]) * period
        self.seen = self.rest = 0
        self._first = array(SINGLE)

    def forget(self) -> None:
        """After a gap the level may be another one; the season is not."""
        self.trend, self.rest = 0.0, REST

    def observe(self, value: float | None, number: int, learn: bool = True) -> Score:
        """Judge the sample of this number by the forecast of the one before, then learn it, unless `learn` is off."""
        if value is None or not usable(value):
            return unready(0.0)
        if self.seen < self.period:
            self._begin(value, number, learn)
            return unready(value)
        place = number % self.period
        expected = self.level + self.trend + self.season[place]
        sigma = floored(math.sqrt(self.variance), expected, self.floor, self.resolution)
        ready = self.seen >= 2 * self.period and not self.rest
        score = judged(value, expected, self.threshold * sigma) if ready else unready(value)
        if learn and self.rest:
            self.level, self.rest = self.level + 0.5 * (value - expected), self.rest - 1
        elif learn:
            bound = self.clip * sigma if ready else math.inf
            self._learn(expected, max(-bound, min(bound, value - expected)), place)
        return score

    def _begin(self, value: float, number: int, learn: bool) -> None:
        if not learn:
            return
        self._first.append(value)
        self.season[number % self.period] = value
        self.seen += 1
        if self.seen == self.period:
            self.level = median(sorted(self._first))
            self.season = array(SINGLE, [each - self.level for each in self.season])
            self.variance = (self.floor * self.level) ** 2
            self._first = array(SINGLE)

    def _learn(self, expected: float, residual: float, place: int) -> None:
        before = self.level
        season = self.season[place]
        value = expected + residual
        self.level = self.alpha * (value - season) + (1 - self.alpha) * (self.level + self.trend)
        self.trend = self.beta * (self.level - before) + (1 - self.beta) * self.trend
        self.season[place] = self.gamma * (value - self.level) + (1 - self.gamma) * season
        weight = 0.02
        self.variance = (1 - weight) * self.variance + weight * residual * residual
        self.seen = min(self.seen + 1, 2 * self.period)

    def dump(self) -> dict[str, Any]:
        """What it has learned, as JSON has it."""
        names = ("level", "trend", "variance", "seen", "rest")
        numbers = {name: getattr(self, name) for name in names}
        return {**numbers, "season": pack(self.season), "first": pack(self._first)}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from an earlier `dump` with the same period; another one is begun anew. Raises ValueError."""
        season = unpack(state.get("season", ""), 2**20)
        if len(season) != self.period:
            return
        first = unpack(state.get("first", ""), self.period)
        valid([*season, *first])
        self.level, self.trend = number(state, "level"), number(state, "trend")
        self.variance = number(state, "variance", 0.0, 1e60)
        self.seen = int(number(state, "seen", 0, 2 * self.period))
        self.rest = int(number(state, "rest", 0, REST))
        if self.seen < self.period and len(first) != self.seen:
            raise ValueError("a season that is begun has as many samples as it has seen")
        self.season, self._first = season, first

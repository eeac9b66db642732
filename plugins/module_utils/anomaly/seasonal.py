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

from .robust import Robust
from .score import Score, floored, judged, median, unready, usable


class Seasonal:
    """The median of the same time of earlier periods is expected; the residuals' spread says what is normal.

    Args:
        period: samples in a period.
        keep: earlier periods that are remembered.
        least: periods before it judges.
        residuals: a detector for what is left; it also says how large a deviation is normal.
    """

    def __init__(self, period: int, keep: int = 5, least: int = 3, residuals: Robust | None = None) -> None:
        self.period, self.keep, self.least = period, keep, least
        self.residuals = residuals or Robust(size=min(period, 360))
        # NaN where nothing is remembered; the oldest of a slot comes first.
        self._slots = array("d", [math.nan]) * (period * keep)

    def observe(self, value: float | None, number: int, learn: bool = True) -> Score:
        """Judge the sample of this number (time over the interval), then remember it, unless `learn` is off."""
        if value is None or not usable(value):
            return unready(0.0)
        start = number % self.period * self.keep
        slot = self._slot(start)
        score = unready(value)
        if len(slot) >= self.least:
            expected = median(sorted(slot))
            seen = self.residuals.observe(value - expected, learn)
            reach = max(seen.upper - seen.expected, 0.0)
            if seen.ready:
                # A spread around nothing has no fraction of itself for a floor; the level has.
                reach = max(reach, self.residuals.threshold * self.residuals.floor * abs(expected))
                score = judged(value, expected + seen.expected, reach)
        if learn:
            self._slots[start : start + self.keep] = self._padded([*slot, value][-self.keep :])
        return score

    def dump(self) -> dict[str, Any]:
        """What it has learned, as JSON has it."""
        slots = [self._slot(start) for start in range(0, len(self._slots), self.keep)]
        return {"slots": slots, "residuals": self.residuals.dump()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from an earlier `dump` with the same period; another one is begun anew."""
        slots = state.get("slots", [])
        if len(slots) != self.period:
            return
        self._slots = array("d")
        for slot in slots:
            self._slots.extend(self._padded([float(each) for each in slot if usable(each)][-self.keep :]))
        self.residuals.load(state.get("residuals", {}))

    def _slot(self, start: int) -> list[float]:
        return [each for each in self._slots[start : start + self.keep] if usable(each)]

    def _padded(self, values: list[float]) -> array[float]:
        return array("d", values + [math.nan] * (self.keep - len(values)))


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

    def __init__(
        self,
        period: int,
        alpha: float = 0.2,
        beta: float = 0.01,
        gamma: float = 0.2,
        threshold: float = 4.0,
        clip: float = 3.0,
        floor: float = 0.01,
        resolution: float = 1e-9,
    ) -> None:
        self.period, self.alpha, self.beta, self.gamma = period, alpha, beta, gamma
        self.threshold, self.clip, self.floor, self.resolution = threshold, clip, floor, resolution
        self.level = self.trend = self.variance = 0.0
        self.season = array("d", [0.0]) * period
        self.seen = 0
        self._first: list[float] = []

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
        ready = self.seen >= 2 * self.period
        score = judged(value, expected, self.threshold * sigma) if ready else unready(value)
        if learn:
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
            self.season = array("d", (each - self.level for each in self.season))
            self.variance = (self.floor * self.level) ** 2
            self._first = []

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
        names = ("level", "trend", "variance", "seen")
        return {**{name: getattr(self, name) for name in names}, "season": list(self.season), "first": self._first}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from an earlier `dump` with the same period; another one is begun anew."""
        season = state.get("season", [])
        if len(season) != self.period:
            return
        self.season = array("d", season)
        self.level, self.trend = float(state["level"]), float(state["trend"])
        self.variance, self.seen = float(state["variance"]), int(state["seen"])
        self._first = [float(each) for each in state.get("first", [])]

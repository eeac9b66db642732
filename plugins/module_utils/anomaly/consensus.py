# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One series, all its detectors, and what they agree on. One detector alone is an opinion."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .robust import Robust, Shift
from .score import Score, usable
from .seasonal import HoltWinters, Seasonal

LATEST, ENOUGH = 5, 3


@dataclass(frozen=True)
class Verdict:
    """What is said of a series at one sample.

    Args:
        anomalous: whether enough detectors agree.
        votes: names of those that say so.
        scores: every detector's, by name.
        ready: whether any of them can judge.
    """

    anomalous: bool
    votes: tuple[str, ...]
    scores: dict[str, Score]
    ready: bool


def _squared(score: Score) -> Score:
    """A root's judgement, in the unit of what it is the root of."""
    expected, lower, upper = (max(0.0, each) ** 2 for each in (score.expected, score.lower, score.upper))
    return replace(score, expected=expected, lower=lower, upper=upper)


class Series:
    """Everything that is known of one series.

    Args:
        period: samples in a day, or another season; 0 for a series that has none.
        resolution: least difference that means something, in the value's unit.
        quorum: detectors that have to agree, of those that can judge.
        counts: whether it counts things, such as waiting requests, whose spread grows with their number; their roots
            are judged, so that it does not.
    """

    def __init__(self, period: int = 0, resolution: float = 1e-9, quorum: int = 2, counts: bool = False) -> None:
        self.quorum, self.counts = quorum, counts
        # The root of a Poisson number has this deviation, whatever its mean.
        resolution = max(resolution, 0.5) if counts else resolution
        self.robust = Robust(resolution=resolution)
        self.shift = Shift(self.robust)
        self.seasonal = Seasonal(period, residuals=Robust(resolution=resolution)) if period else None
        self.smoothed = HoltWinters(period, resolution=resolution) if period else None
        self._recent: dict[str, deque[bool]] = {}

    def observe(self, value: float | None, number: int, learn: bool = True) -> Verdict:
        """Judge the sample of this number; learn from it unless a rollout or an operator says otherwise."""
        if value is None or not usable(value):
            return Verdict(False, (), {}, False)
        value = math.sqrt(max(0.0, value)) if self.counts else value
        scores = {"shift": self.shift.observe(value)}
        # A value that goes to nothing at once is what an outage looks like; no spread makes it normal.
        gone = self._gone(value)
        scores["robust"] = self.robust.observe(value, learn)
        if self.seasonal and self.smoothed:
            scores["seasonal"] = self.seasonal.observe(value, number, learn)
            scores["smoothed"] = self.smoothed.observe(value, number, learn)
        votes = tuple(sorted(name for name, score in scores.items() if self._insists(name, score)))
        able = sum(score.ready for score in scores.values())
        agreed = len(votes) >= min(self.quorum, max(able, 1))
        told = {name: _squared(score) for name, score in scores.items()} if self.counts else scores
        return Verdict(agreed or gone, votes + (("gone",) if gone else ()), told, able > 0)

    def _insists(self, name: str, score: Score) -> bool:
        """Three of the last five: one sample is no finding."""
        recent = self._recent.setdefault(name, deque(maxlen=LATEST))
        recent.append(score.anomalous)
        return sum(recent) >= ENOUGH

    def _gone(self, value: float) -> bool:
        window = self.robust.window
        return value == 0 and len(window) >= self.robust.least and window.least() > 0

    def dump(self) -> dict[str, Any]:
        """What it has learned, as JSON has it."""
        state: dict[str, Any] = {"robust": self.robust.dump(), "shift": self.shift.dump()}
        if self.seasonal and self.smoothed:
            state.update(seasonal=self.seasonal.dump(), smoothed=self.smoothed.dump())
        return state

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from an earlier `dump`."""
        self.robust.load(state.get("robust", {}))
        self.shift.load(state.get("shift", {}))
        if self.seasonal and self.smoothed:
            self.seasonal.load(state.get("seasonal", {}))
            self.smoothed.load(state.get("smoothed", {}))

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a detector says of one value, and the statistics that they share. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# A normal distribution's standard deviation is so many times its median absolute deviation.
MAD_TO_SIGMA = 1.4826
LARGEST = 1e100


@dataclass(frozen=True)
class Score:
    """One value's judgement.

    Args:
        score: distance from what was expected, 1 at the bound: more than 1 is anomalous. 0 while not `ready`.
        expected: what was expected, in the value's unit.
        lower: least value that is not anomalous.
        upper: greatest value that is not anomalous.
        ready: whether enough was seen to judge.
    """

    score: float
    expected: float
    lower: float
    upper: float
    ready: bool = True

    @property
    def anomalous(self) -> bool:
        """Whether the value is out of bounds."""
        return self.ready and self.score > 1.0


def unready(value: float) -> Score:
    """The judgement of who has not seen enough."""
    return Score(0.0, value, -math.inf, math.inf, ready=False)


def judged(value: float, expected: float, reach: float) -> Score:
    """A value against what was expected, where `reach` is the distance that is still normal; `reach` > 0."""
    return Score(abs(value - expected) / reach, expected, expected - reach, expected + reach)


def floored(sigma: float, level: float, floor: float, resolution: float) -> float:
    """A standard deviation that is never so small that noise is a finding.

    Args:
        sigma: as it was measured.
        level: what it is a deviation from.
        floor: least deviation, as a fraction of the level.
        resolution: least deviation, in the value's unit; > 0.
    """
    return max(sigma, floor * abs(level), resolution)


def usable(value: float | None) -> bool:
    """Whether there is a value at all: not missing, not NaN, not infinite, nor so large that its square would be."""
    return value is not None and abs(value) < LARGEST


def median(ordered: Sequence[float]) -> float:
    """The middle of values in order. Raises ValueError when there are none."""
    if not ordered:
        raise ValueError("no values")
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def deviation(ordered: Sequence[float], middle: float) -> float:
    """The median of the distances from `middle`, of values in order: walks outwards from it, O(n)."""
    count = len(ordered)
    right = _first_not_below(ordered, middle)
    left = right - 1
    distance = 0.0
    before = 0.0
    for _step in range(count // 2 + 1):
        before = distance
        if left >= 0 and (right >= count or middle - ordered[left] <= ordered[right] - middle):
            distance = middle - ordered[left]
            left -= 1
        else:
            distance = ordered[right] - middle
            right += 1
    return distance if count % 2 else (before + distance) / 2


def _first_not_below(ordered: Sequence[float], value: float) -> int:
    low, high = 0, len(ordered)
    while low < high:
        half = (low + high) // 2
        if ordered[half] < value:
            low = half + 1
        else:
            high = half
    return low

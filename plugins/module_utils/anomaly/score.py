# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a detector says of one value, and the statistics that they share. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

# A normal distribution's standard deviation is so many times its median absolute deviation.
MAD_TO_SIGMA = 1.4826
# What is remembered is remembered in single precision, which goes to 3.4e38.
LARGEST = 1e30


class Score(NamedTuple):
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
    """Whether there is a value at all: not missing, not NaN, not infinite, not absurdly large."""
    return value is not None and -LARGEST < value < LARGEST


def median(ordered: Sequence[float]) -> float:
    """The middle of values in order. Raises ValueError when there are none."""
    if not ordered:
        raise ValueError("no values")
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def deviation(ordered: Sequence[float], middle: float) -> float:
    """The median of the distances from `middle`, of values in order. O(log n): the nearest half lies side by side."""
    count = len(ordered)
    near = count // 2 + 1
    low, high = 0, count - near
    while low < high:
        half = (low + high) // 2
        if middle - ordered[half] > ordered[half + near] - middle:
            low = half + 1
        else:
            high = half
    left, right = middle - ordered[low], ordered[low + near - 1] - middle
    farthest = max(left, right)
    if count % 2:
        return farthest
    # An even number has two in the middle: the farthest of this half, and the farthest without that one.
    if left >= right:
        return (farthest + max(middle - ordered[low + 1], right)) / 2
    return (farthest + max(left, ordered[low + near - 2] - middle)) / 2

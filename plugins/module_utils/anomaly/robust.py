# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values against the median of the last ones: a point far from it, and a level that has moved.

Source: Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993): modified z-score, whose 3.5 is
3.2 here, where others have to agree. Page, "Continuous Inspection Schemes" (1954): cumulative sums.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Mapping
from typing import Any

from .packing import SINGLE, number, pack, unpack, valid
from .score import MAD_TO_SIGMA, Score, deviation, floored, judged, median, unready, usable


class Window:
    """The last values, also in order, in single precision.

    Args:
        size: how many.
    """

    # Arrays and slots: ten thousand series are to fit into memory.
    __slots__ = ("_centre", "_latest", "_oldest", "_ordered", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.forget()

    def __len__(self) -> int:
        return len(self._ordered)

    def forget(self) -> None:
        """Begin anew."""
        self._latest, self._ordered = array(SINGLE), array(SINGLE)
        self._oldest = 0
        self._centre: tuple[float, float] | None = None

    def add(self, value: float) -> None:
        """One more; the oldest goes when it is full."""
        if len(self._latest) < self.size:
            self._latest.append(value)
        else:
            del self._ordered[bisect_left(self._ordered, self._latest[self._oldest])]
            self._latest[self._oldest] = value
            self._oldest = (self._oldest + 1) % self.size
        insort(self._ordered, value)
        self._centre = None

    def centre(self) -> tuple[float, float]:
        """Median and standard deviation as the median absolute deviation has it. Raises ValueError when empty."""
        if self._centre is None:
            middle = median(self._ordered)
            self._centre = middle, MAD_TO_SIGMA * deviation(self._ordered, middle)
        return self._centre

    def least(self) -> float:
        """The smallest of them. Raises IndexError when empty."""
        return self._ordered[0]

    def latest(self) -> list[float]:
        """The values, oldest first."""
        return [*self._latest[self._oldest :], *self._latest[: self._oldest]]

    def dump(self) -> str:
        """The values as one text."""
        return pack(self._latest[self._oldest :] + self._latest[: self._oldest])

    def load(self, text: str) -> None:
        """Values of an earlier `dump`. Raises ValueError when it is none."""
        values = unpack(text, self.size)
        valid(values)
        self.forget()
        self._latest, self._ordered = values, array(SINGLE, sorted(values))


class Robust:
    """A value is anomalous when it is more than `threshold` robust standard deviations from the window's median.

    Args:
        size: samples in the window.
        least: samples before it judges.
        threshold: standard deviations that are normal.
        floor: least standard deviation, as a fraction of the median.
        resolution: least standard deviation, in the value's unit; > 0.
    """

    __slots__ = ("floor", "least", "resolution", "threshold", "window")

    def __init__(
        self, size: int = 360, least: int = 30, threshold: float = 3.2, floor: float = 0.01, resolution: float = 1e-9
    ) -> None:
        self.least, self.threshold, self.floor, self.resolution = least, threshold, floor, resolution
        self.window = Window(size)

    def observe(self, value: float | None, learn: bool = True) -> Score:
        """Judge a value by what was before it, then remember it, unless `learn` is off. None is missing."""
        if value is None or not usable(value):
            return unready(0.0)
        score = unready(value)
        if measure := self.measure():
            middle, sigma = measure
            score = judged(value, middle, self.threshold * sigma)
        if learn:
            self.window.add(value)
        return score

    def measure(self) -> tuple[float, float] | None:
        """Median and standard deviation that values are judged by; None before it has seen enough."""
        if len(self.window) < self.least:
            return None
        middle, sigma = self.window.centre()
        return middle, floored(sigma, middle, self.floor, self.resolution)

    def dump(self) -> dict[str, Any]:
        """What it has learned, as JSON has it."""
        return {"window": self.window.dump()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from an earlier `dump`. Raises ValueError when it is none."""
        self.window.load(state.get("window", ""))


class Shift:
    """A level has moved when small deviations to one side add up: S = max(0, S + z - slack), anomalous above `limit`.

    Args:
        robust: what z is measured by. It is told nothing by this class.
        slack: standard deviations that are forgiven at each sample.
        limit: sum of standard deviations that is still normal.
        clip: most that one sample adds, so that a single spike is no shift.
    """

    __slots__ = ("clip", "down", "limit", "robust", "slack", "up")

    def __init__(self, robust: Robust, slack: float = 0.75, limit: float = 12.0, clip: float = 3.0) -> None:
        self.robust, self.slack, self.limit, self.clip = robust, slack, limit, clip
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.up = self.down = 0.0

    def observe(self, value: float | None) -> Score:
        """Judge a value before the window learns it."""
        if value is None or not usable(value):
            return unready(0.0)
        measure = self.robust.measure()
        if measure is None:
            return unready(value)
        middle, sigma = measure
        z = max(-self.clip, min(self.clip, (value - middle) / sigma))
        self.up = min(max(0.0, self.up + z - self.slack), 2 * self.limit)
        self.down = min(max(0.0, self.down - z - self.slack), 2 * self.limit)
        reach = self.robust.threshold * sigma
        return Score(max(self.up, self.down) / self.limit, middle, middle - reach, middle + reach)

    def dump(self) -> dict[str, Any]:
        """Its sums."""
        return {"up": self.up, "down": self.down}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from an earlier `dump`. Raises ValueError when it is none."""
        self.up, self.down = (number(state, name, 0.0, 2 * self.limit) for name in ("up", "down"))

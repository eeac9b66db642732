# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's features together, each of them normal alone: half-space trees. Advice, never a reason to act.

Source: Tan, Ting and Liu, "Fast Anomaly Detection for Streaming Data" (2011).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence


class HalfSpaceTrees:
    """Trees that halve the space of features at random, and count where the last window's samples fell.

    Args:
        features: how many; each is to be between 0 and 1.
        trees: how many.
        depth: of each.
        window: samples that are counted before they are the measure.
        draw: numbers from 0 to below 1 that say where it is halved, such as random.Random(1).random.
    """

    def __init__(
        self, features: int, draw: Callable[[], float], trees: int = 10, depth: int = 8, window: int = 250
    ) -> None:
        self.features, self.depth, self.window = features, depth, window
        inner = 2**depth - 1
        self._splits = [self._grow(draw, inner) for _each in range(trees)]
        self._reference = [[0] * (2 * inner + 1) for _each in range(trees)]
        self._latest = [[0] * (2 * inner + 1) for _each in range(trees)]
        self.seen = 0

    def observe(self, sample: Sequence[float], learn: bool = True) -> float | None:
        """From 0 (as usual) to 1 (never seen); None while the first window fills. Raises ValueError."""
        if len(sample) != self.features:
            raise ValueError("{0} features are expected, not {1}".format(self.features, len(sample)))
        clipped = [min(1.0, max(0.0, value)) for value in sample]
        paths = [self._path(splits, clipped) for splits in self._splits]
        score = None
        if self.seen >= self.window:
            mass = sum(self._mass(counts, path) for counts, path in zip(self._reference, paths))
            score = 1.0 - math.log2(1.0 + mass) / math.log2(1.0 + len(paths) * self.window * 2**self.depth)
        if learn:
            for counts, path in zip(self._latest, paths):
                for place in path:
                    counts[place] += 1
            self.seen += 1
            if self.seen % self.window == 0:
                self._reference = self._latest
                self._latest = [[0] * len(counts) for counts in self._reference]
        return score

    def _grow(self, draw: Callable[[], float], inner: int) -> list[tuple[int, float]]:
        """Feature and middle of every inner node, breadth first."""
        splits: list[tuple[int, float]] = []
        spaces = []
        for _each in range(self.features):
            pivot = draw()
            reach = 2 * max(pivot, 1 - pivot)
            spaces.append((pivot - reach, pivot + reach))
        room = {0: spaces}
        for place in range(inner):
            here = room.pop(place)
            feature = int(draw() * self.features)
            low, high = here[feature]
            middle = (low + high) / 2
            splits.append((feature, middle))
            room[2 * place + 1] = [*here[:feature], (low, middle), *here[feature + 1 :]]
            room[2 * place + 2] = [*here[:feature], (middle, high), *here[feature + 1 :]]
        return splits

    @staticmethod
    def _path(splits: Sequence[tuple[int, float]], sample: Sequence[float]) -> list[int]:
        path, place = [0], 0
        while place < len(splits):
            feature, middle = splits[place]
            place = 2 * place + (1 if sample[feature] < middle else 2)
            path.append(place)
        return path

    def _mass(self, counts: Sequence[int], path: Sequence[int]) -> float:
        # The deepest node that held enough samples to say something.
        enough = 0.1 * self.window
        for level, place in enumerate(path):
            if counts[place] <= enough or level == self.depth:
                return float(counts[place] * 2**level)
        return 0.0

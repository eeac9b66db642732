# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's features together, each of them normal alone: half-space trees. Advice, never a reason to act.

Source: Tan, Ting and Liu, "Fast Anomaly Detection for Streaming Data" (2011).
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .packing import SMALL, number, pack, unpack


class HalfSpaceTrees:
    """Trees that halve the space of features at random, and count where the last window's samples fell.

    Args:
        features: how many; each is to be between 0 and 1.
        trees: how many.
        depth: of each.
        draw: numbers from 0 to below 1 that say where it is halved, such as random.Random(1).random.
        window: samples that are counted before they are the measure, 65535 at most.
        like: others with as many features, trees and levels, whose halves are used again: they need more memory than
            the counts.
    """

    __slots__ = ("_latest", "_reference", "_splits", "depth", "features", "seen", "window")

    def __init__(
        self,
        features: int,
        draw: Callable[[], float],
        trees: int = 10,
        depth: int = 8,
        window: int = 250,
        like: HalfSpaceTrees | None = None,
    ) -> None:
        self.features, self.depth, self.window = features, depth, window
        inner = 2**depth - 1
        self._splits: list[list[tuple[int, float]]] = (
            like._splits if like else [self._grow(draw, inner) for _each in range(trees)]
        )
        self._reference = [array(SMALL, [0]) * (2 * inner + 1) for _each in range(trees)]
        self._latest = [array(SMALL, [0]) * (2 * inner + 1) for _each in range(trees)]
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
                self._latest = [array(SMALL, [0]) * len(counts) for counts in self._reference]
        return score

    def dump(self) -> dict[str, Any]:
        """What was counted, as JSON has it. It is of use only with the same `draw`."""
        return {
            "seen": self.seen,
            "reference": [pack(counts) for counts in self._reference],
            "latest": [pack(counts) for counts in self._latest],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from an earlier `dump` of trees of this size; others are begun anew. Raises ValueError."""
        both = []
        for name, mine in (("reference", self._reference), ("latest", self._latest)):
            texts = state.get(name, [])
            if not isinstance(texts, list) or len(texts) != len(mine):
                return
            both.append([unpack(text, len(counts), SMALL) for text, counts in zip(texts, mine)])
            if any(len(found) != len(counts) for found, counts in zip(both[-1], mine)):
                return
        # More than a window's samples fit into no node, and one more than the array holds would be an error later.
        if any(count > self.window for trees in both for counts in trees for count in counts):
            raise ValueError("trees have counted more than there was")
        self._reference, self._latest = both
        self.seen = int(number(state, "seen", 0, 1e15))

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

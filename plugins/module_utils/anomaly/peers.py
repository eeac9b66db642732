# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One among its like: servers of a pool, GPUs of a model. It needs no history, so it is of use on the first day."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Mapping
from typing import TypeVar

from .score import MAD_TO_SIGMA, Score, deviation, floored, judged, median, unready, usable

LEAST = 4
Name = TypeVar("Name", bound=Hashable)


def compare(
    values: Mapping[Name, float | None], threshold: float = 5.0, floor: float = 0.05, resolution: float = 1e-9
) -> dict[Name, Score]:
    """Each member's value against the others' median, by name. Members without a value are left out.

    Args:
        values: by member.
        threshold: robust standard deviations that are normal.
        floor: least standard deviation, as a fraction of the median.
        resolution: least standard deviation, in the value's unit; > 0.
    """
    known = {name: float(value) for name, value in values.items() if value is not None and usable(value)}
    if len(known) < LEAST:
        return {name: unready(value) for name, value in known.items()}
    found = {}
    ordered = sorted(known.values())
    for name, value in known.items():
        # Without itself: of four, one must not be a quarter of its own measure.
        place = bisect_left(ordered, value)
        others = ordered[:place] + ordered[place + 1 :]
        middle = median(others)
        sigma = floored(MAD_TO_SIGMA * deviation(others, middle), middle, floor, resolution)
        found[name] = judged(value, middle, threshold * sigma)
    return found

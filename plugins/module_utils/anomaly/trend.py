# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a value will reach its limit, by a slope that outliers do not turn.

Source: Theil (1950), Sen (1968): the median of the slopes between all pairs; Kendall (1938): whether there is a trend.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .score import median, usable


@dataclass(frozen=True)
class Trend:
    """A line through samples: its slope (unit a second), its value at the last sample's time, and how sure it is.

    `certainty` is Kendall's z: more than 2 standard deviations are no chance.
    """

    slope: float
    now: float
    certainty: float


def fit(samples: Sequence[tuple[float, float | None]]) -> Trend | None:
    """The trend of (seconds, value) samples; None with fewer than eight. O(n^2): give at most a hundred."""
    points = [(at, value) for at, value in samples if value is not None and usable(value)]
    if len(points) < 8:
        return None
    slopes, order = [], 0
    for late in range(1, len(points)):
        for early in range(late):
            distance = points[late][0] - points[early][0]
            if distance > 0:
                change = points[late][1] - points[early][1]
                slopes.append(change / distance)
                order += (change > 0) - (change < 0)
    if not slopes:
        return None
    slope = median(sorted(slopes))
    last = points[-1][0]
    now = median(sorted(value + slope * (last - at) for at, value in points))
    count = len(points)
    spread = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    return Trend(slope, now, abs(order) / spread)


def seconds_to(limit: float, trend: Trend | None, certain: float = 2.0) -> float:
    """Seconds until the trend reaches a limit; infinity when it does not, or when there is no certain trend."""
    if trend is None or trend.certainty < certain or trend.slope == 0:
        return math.inf
    seconds = (limit - trend.now) / trend.slope
    # Moving away from the limit is not having reached it.
    return seconds if seconds >= 0 else math.inf

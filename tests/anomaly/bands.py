# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rules in PromQL can do, to compare with: bands around averages and medians of the last day, as Grafana's
promql-anomaly-detection draws them (its two strategies; only values above 0 are looked at; five minutes must pass).
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from .generator import DAY

HOUR = DAY // 24


def adaptive(values: Sequence[float | None]) -> list[bool]:
    """Average of the last day, twice its standard deviation, and the same hour of yesterday and of last week."""
    found = []
    for number, value in enumerate(values):
        day = _known(values, number - DAY, number)
        if not value or value <= 0 or len(day) < HOUR:
            found.append(False)
            continue
        middle, reach = statistics.fmean(day), 2 * statistics.pstdev(day)
        low, high = middle - reach, middle + reach
        for ago in (DAY, 7 * DAY):
            then = _known(values, number - ago - HOUR // 2, number - ago + HOUR // 2)
            if len(then) > 2:
                high = max(high, statistics.fmean(then) + reach / 2)
                low = min(low, statistics.fmean(then) - reach / 2)
        found.append(not low <= value <= high)
    return _lasting(found)


def robust(values: Sequence[float | None]) -> list[bool]:
    """Median of the last day, twice its median absolute deviation and half of the median as a margin, and seasons."""
    found = []
    for number, value in enumerate(values):
        day = sorted(_known(values, number - DAY, number))
        if not value or value <= 0 or len(day) < HOUR:
            found.append(False)
            continue
        middle = day[len(day) // 2]
        spread = sorted(abs(each - middle) for each in day)[len(day) // 2]
        low, high = middle - 2 * spread - 0.5 * middle, middle + 2 * spread + 0.5 * middle
        for ago in (DAY, 7 * DAY):
            then = sorted(_known(values, number - ago - HOUR // 2, number - ago + HOUR // 2))
            if len(then) > 2:
                season = then[len(then) // 2]
                high, low = max(high, season + 2 * spread), min(low, season - 2 * spread)
        found.append(not low <= value <= high)
    return _lasting(found)


def _known(values: Sequence[float | None], start: int, end: int) -> list[float]:
    return [value for value in values[max(0, start) : max(0, end)] if value is not None and value > 0]


def _lasting(found: list[bool]) -> list[bool]:
    return [bool(number and now and found[number - 1]) for number, now in enumerate(found)]

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redundancy arithmetic: what is up of what there is, what that costs, and how likely enough of it stays up. Pure.

U = N1/N and T = 1/U say what is lost now, not how near the end is: ten components, each up 90 % of the time,
have U = 0.9 on average and T = 1/0.9, about 1.11; but nine of them or more are up only 73.6 % of the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def utilization(up: float, total: float) -> float:
    """U: the share of components that are up. Raises ValueError when there are none, or more up than there are."""
    if total <= 0 or not 0 <= up <= total:
        raise ValueError("{0:g} of {1:g} components cannot be up".format(up, total))
    return up / total


def relative_response_time(share: float) -> float:
    """T = 1/U: how many times longer the work takes when those that are up do all of it. Infinite when none is up."""
    if not 0 <= share <= 1:
        raise ValueError("{0:g} is no share".format(share))
    return 1 / share if share else math.inf


def survival(required: int, count: int, availability: float) -> float:
    """P(X >= required) for `count` alike and independent components: binomial."""
    _check([availability])
    terms = (
        math.comb(count, up) * availability**up * (1 - availability) ** (count - up)
        for up in range(max(0, required), count + 1)
    )
    return min(1.0, math.fsum(terms))


def survival_of(required: int, availabilities: Sequence[float]) -> float:
    """P(X >= required) for independent components that differ: Poisson-binomial.

    By convolution, one component after the other: O(n^2), and no term is negative, so nothing cancels.
    """
    _check(availabilities)
    distribution = [1.0]
    for availability in availabilities:
        down = [probability * (1 - availability) for probability in distribution]
        up = [probability * availability for probability in distribution]
        distribution = [one + other for one, other in zip([*down, 0.0], [0.0, *up])]
    return min(1.0, math.fsum(distribution[max(0, required) :]))


def measured(downtime: float, window: float) -> float:
    """The share of a window in which something was up, by its down time, both in seconds.

    A counter's increase may be a little more than the window, or less than nothing: then 0 or 1.
    """
    if window <= 0:
        raise ValueError("a window of {0:g} s".format(window))
    return min(1.0, max(0.0, 1 - downtime / window))


def _check(availabilities: Sequence[float]) -> None:
    for availability in availabilities:
        if not 0 <= availability <= 1:
            raise ValueError("{0:g} is no availability".format(availability))

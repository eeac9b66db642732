# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact small-sample statistics for the gates. Shares are fractions from 0 to 1, times milliseconds. Pure.

Tails are summed outward from a term found through lgamma, on the side where terms only shrink, so nothing overflows or
cancels; the relative error stays below 1e-7 up to a million requests.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Callable

# HAProxy's TIME_STATS_SAMPLES (include/haproxy/defaults.h): over how many requests its average times run.
TIME_STATS_SAMPLES = 512
# A part of the average smaller than this cannot be told from HAProxy's rounding to whole milliseconds.
LEAST_WEIGHT = 0.1


def binomial_tail(k: int, n: int, p: float) -> float:
    """P(X >= k) for n independent requests that fail with probability p each."""
    if k <= 0:
        return 1.0
    if k > n or p <= 0.0:
        return 0.0
    if p >= 1.0:
        return 1.0
    odds = p / (1.0 - p)
    return _tail(
        k,
        (0, n),
        n * p,
        lambda x: _log_choose(n, x) + x * math.log(p) + (n - x) * math.log1p(-p),
        lambda x: (n - x) / (x + 1) * odds,
    )


def lower_bound(errors: int, n: int, confidence: float) -> float:
    """The share that the true one exceeds with this confidence: exact and one-sided (Clopper and Pearson 1934)."""
    errors = min(errors, n)
    if errors <= 0:
        return 0.0
    return _solve(lambda p: binomial_tail(errors, n, p) > 1.0 - confidence)


def upper_bound(errors: int, n: int, confidence: float) -> float:
    """The share that the true one stays below with this confidence; without errors about 3/n at 0.95."""
    if errors >= n:
        return 1.0
    return _solve(lambda p: binomial_tail(errors + 1, n, p) >= confidence)


def worse_p_value(bad1: int, n1: int, bad0: int, n0: int) -> float:
    """How likely chance alone gives group 1 so many of all errors: Fisher's exact test, one-sided.

    1.0 when either group is empty: then nothing was compared.
    """
    if n1 <= 0 or n0 <= 0:
        return 1.0
    bad1, bad0 = min(bad1, n1), min(bad0, n0)
    bad, everything = bad1 + bad0, n1 + n0
    return _tail(
        bad1,
        (max(0, bad - n0), min(bad, n1)),
        n1 * bad / everything,
        lambda x: _log_choose(bad, x) + _log_choose(everything - bad, n1 - x) - _log_choose(everything, n1),
        lambda x: (bad - x) * (n1 - x) / ((x + 1) * (everything - bad - n1 + x + 1)),
    )


def unmixed_mean(
    before_ms: float, after_ms: float, count: int, samples: int = TIME_STATS_SAMPLES, seen: int | None = None
) -> float | None:
    """Mean time of the newest `count` requests, out of HAProxy's average before and after them.

    The average is plain for a worker's first `samples` requests, then each further one gets 1/samples of it
    (swrate_add_dynamic, include/haproxy/freq_ctr.h; stream_update_time_stats). `seen`: requests that made up the
    average before; None: more than `samples`. HAProxy rounds up to whole ms, which gives the result an error of at most
    1 + 1/weight ms. None when the new requests are too few to say: under a tenth of `samples` or of the average.
    """
    seen = samples if seen is None else seen
    end = seen + count
    if end <= samples:
        old = seen / end if end else 1.0
    else:
        old = min(seen, samples) / samples * (1.0 - 1.0 / samples) ** (end - max(seen, samples))
    if 1.0 - old < LEAST_WEIGHT or count < LEAST_WEIGHT * samples:
        return None
    return max(0.0, (after_ms - before_ms * old) / (1.0 - old))


def _tail(
    k: int, bounds: tuple[int, int], centre: float, log_mass: Callable[[int], float], ratio: Callable[[int], float]
) -> float:
    """P(X >= k) of a distribution with one peak. `ratio(x)` is mass(x + 1) / mass(x)."""
    low, high = bounds
    if k <= low:
        return 1.0
    if k > high:
        return 0.0
    if k >= centre:
        return _sum(math.exp(log_mass(k)), (ratio(x) for x in range(k, high)))
    return 1.0 - _sum(math.exp(log_mass(k - 1)), (1.0 / ratio(x - 1) for x in range(k - 1, low, -1)))


def _sum(term: float, ratios: Iterable[float]) -> float:
    """Terms that shrink, until one no longer matters."""
    total = term
    for ratio in ratios:
        term *= ratio
        total += term
        if term <= total * 1e-17:
            break
    return min(1.0, total)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _solve(reached: Callable[[float], bool]) -> float:
    """The smallest share from 0 to 1 that reaches it, by bisection."""
    low, high = 0.0, 1.0
    for _step in range(60):
        middle = (low + high) / 2.0
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high

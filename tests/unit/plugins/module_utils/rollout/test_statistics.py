# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statistics: against exact sums of whole numbers, and HAProxy's average simulated integer by integer."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.statistics import (
    binomial_tail,
    lower_bound,
    unmixed_mean,
    upper_bound,
    worse_p_value,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# How fast a loaded machine is says nothing about the code.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def exact_binomial(k, n, p):
    share = Fraction(p)
    return float(sum(math.comb(n, x) * share**x * (1 - share) ** (n - x) for x in range(max(k, 0), n + 1)))


def exact_fisher(bad1, n1, bad0, n0):
    bad = bad1 + bad0
    ways = sum(math.comb(bad, x) * math.comb(n1 + n0 - bad, n1 - x) for x in range(bad1, min(bad, n1) + 1))
    return float(Fraction(ways, math.comb(n1 + n0, n1)))


@UNHURRIED
@given(st.integers(-1, 61), st.integers(0, 60), st.floats(0.001, 0.999))
def test_binomial_tail_is_exact(k, n, p):
    assert binomial_tail(k, n, p) == pytest.approx(exact_binomial(k, n, p), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("k", "n", "p", "expected"),
    [
        (9, 10, 0.9, 0.7360989291),  # design.md: nine of ten, each up 90 % of the time
        (1, 1, 0.25, 0.25),
        (0, 0, 0.5, 1.0),
        (1, 0, 0.5, 0.0),
        (1, 5, 0.0, 0.0),
        (5, 5, 1.0, 1.0),
        (500_001, 1_000_000, 0.5, 0.5 - math.comb(1_000_000, 500_000) / 2**1_000_001),
        (1_000_000, 1_000_000, 0.5, 0.0),
        (10, 1_000_000, 1e-6, 1.1142e-7),  # Poisson of mean 1
        (1, 1_000_000, 0.999, 1.0),
    ],
)
def test_binomial_tail_of_known_values(k, n, p, expected):
    assert binomial_tail(k, n, p) == pytest.approx(expected, rel=1e-4, abs=1e-15)


def test_rule_of_three():
    assert upper_bound(0, 300, 0.95) < 0.01 < upper_bound(0, 290, 0.95)
    assert upper_bound(0, 3000, 0.95) == pytest.approx(3 / 3000, rel=0.01)


@pytest.mark.parametrize(
    ("errors", "n", "low", "high"),
    [
        (0, 10, 0.0, 1 - 0.05**0.1),
        (10, 10, 0.05**0.1, 1.0),
        (1, 1, 0.05, 1.0),
        (5, 100, 0.0199, 0.1023),  # the usual table of Clopper and Pearson, 90 % two-sided
        (0, 0, 0.0, 1.0),
        (7, 0, 0.0, 1.0),
    ],
)
def test_bounds_of_known_values(errors, n, low, high):
    assert lower_bound(errors, n, 0.95) == pytest.approx(low, abs=1e-4)
    assert upper_bound(errors, n, 0.95) == pytest.approx(high, abs=1e-4)


@UNHURRIED
@given(st.integers(0, 1_000_000), st.integers(1, 1_000_000), st.sampled_from([0.9, 0.95, 0.999]))
def test_bounds_hold_the_share(errors, n, confidence):
    errors = min(errors, n)
    assert 0.0 <= lower_bound(errors, n, confidence) <= errors / n <= upper_bound(errors, n, confidence) <= 1.0


@UNHURRIED
@given(st.integers(1, 200), st.integers(1, 200), st.data())
def test_fisher_is_exact(n1, n0, data):
    bad1, bad0 = data.draw(st.integers(0, n1)), data.draw(st.integers(0, n0))
    assert worse_p_value(bad1, n1, bad0, n0) == pytest.approx(exact_fisher(bad1, n1, bad0, n0), rel=1e-8, abs=1e-12)


@UNHURRIED
@given(st.integers(1, 100_000), st.integers(1, 100_000), st.data())
def test_fisher_falls_with_each_error_and_rises_with_each_of_the_peers(n1, n0, data):
    bad1, bad0 = data.draw(st.integers(0, n1 - 1)), data.draw(st.integers(0, n0 - 1))
    here = worse_p_value(bad1, n1, bad0, n0)
    assert 0.0 <= here <= 1.0
    assert worse_p_value(bad1 + 1, n1, bad0, n0) <= here + 1e-7
    assert worse_p_value(bad1, n1, bad0 + 1, n0) >= here - 1e-7


@pytest.mark.parametrize(("bad1", "n1", "bad0", "n0"), [(0, 0, 5, 10), (5, 10, 0, 0), (0, 10, 0, 10), (0, 10, 10, 10)])
def test_fisher_without_a_difference(bad1, n1, bad0, n0):
    assert worse_p_value(bad1, n1, bad0, n0) == 1.0


def test_fisher_tea():
    assert worse_p_value(3, 4, 1, 4) == pytest.approx(17 / 70)  # Fisher 1935: the lady tasting tea


class Average:
    """HAProxy's: include/haproxy/freq_ctr.h and stream_update_time_stats, in whole numbers."""

    def __init__(self):
        self.sum = self.count = 0

    def add(self, value):
        self.count += 1
        self.sum += value - ((self.sum + 511) // 512 if self.count > 512 else 0)

    @property
    def ms(self):
        window = min(max(self.count, 1), 512)
        return (self.sum + window - 1) // window


@UNHURRIED
@given(
    st.integers(0, 1500),
    st.integers(0, 3000),
    st.lists(st.integers(0, 3000), min_size=1, max_size=1500),
)
def test_unmixed_mean_inverts_haproxys_average(seen, old, new):
    average = Average()
    for _request in range(seen):
        average.add(old)
    before = average.ms
    weights, wanted = 0.0, 0.0
    for value in new:
        average.add(value)
        keep = 1 - 1 / 512 if average.count > 512 else 1.0
        weights, wanted = weights * keep + 1, wanted * keep + value
    mean = unmixed_mean(before, average.ms, len(new), seen=seen)
    if mean is None:
        assert len(new) < 52 or 0.9 ** (1 / len(new)) <= 1 - 1 / 512
    else:
        weight = weights / min(average.count, 512)
        # The first request past 512 finds a window of 512 sums of 512 requests: one step of rounding more.
        assert abs(mean - wanted / weights) <= 1 + 1.05 / min(weight, 1.0)


@pytest.mark.parametrize(
    ("before", "after", "count", "seen", "expected"),
    [
        (100, 100, 53, None, None),
        (100, 100, 54, None, 100),
        (100, 100 + 200 * (1 - (511 / 512) ** 100), 100, None, 300),
        (100, 200, 100, 100, 300),
        (0, 150, 60, 0, 150),
        (0, 150, 51, 0, None),
        (500, 0, 60, None, 0.0),
        (0, 0, 0, 0, None),
    ],
)
def test_unmixed_mean(before, after, count, seen, expected):
    assert unmixed_mean(before, after, count, seen=seen) == (None if expected is None else pytest.approx(expected))


@UNHURRIED
@given(st.floats(0, 1e9), st.floats(0, 1e9), st.integers(0, 10**9), st.none() | st.integers(0, 10**9))
def test_unmixed_mean_is_never_negative(before, after, count, seen):
    mean = unmixed_mean(before, after, count, seen=seen)
    assert mean is None or mean >= 0

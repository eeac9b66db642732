# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The statistics are those of the textbook, whatever the values."""

from __future__ import annotations

import math
import statistics

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.score import (
    deviation,
    judged,
    median,
    unready,
    usable,
)
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


@given(VALUES)
def test_median_and_deviation_are_the_textbooks(values):
    ordered = sorted(values)
    middle = statistics.median(ordered)
    assert median(ordered) == middle
    assert deviation(ordered, middle) == pytest.approx(statistics.median(abs(each - middle) for each in ordered))


def test_nothing_has_no_median():
    with pytest.raises(ValueError, match="no values"):
        median([])


@pytest.mark.parametrize(
    ("value", "score", "anomalous"), [(10.0, 0.0, False), (12.0, 1.0, False), (12.1, 1.05, True), (7.0, 1.5, True)]
)
def test_the_bound_itself_is_normal(value, score, anomalous):
    found = judged(value, 10.0, 2.0)
    assert found.score == pytest.approx(score)
    assert (found.anomalous, found.lower, found.upper) == (anomalous, 8.0, 12.0)


def test_who_has_not_seen_enough_finds_nothing():
    assert not unready(1e9).anomalous


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_is_no_value(value):
    assert not usable(value)

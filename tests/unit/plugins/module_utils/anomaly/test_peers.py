# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One among its like is seen at the first look; three are too few to say who is the odd one."""

from __future__ import annotations

import statistics

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.peers import compare
from hypothesis import given
from hypothesis import strategies as st


def test_the_odd_one_is_named():
    found = compare({"gpu1": 61.0, "gpu2": 63.0, "gpu3": 60.0, "gpu4": 88.0})
    assert [name for name, score in found.items() if score.anomalous] == ["gpu4"]


def test_what_is_alike_is_normal():
    found = compare({f"gpu{number}": 60.0 + number for number in range(8)})
    assert not any(score.anomalous for score in found.values())


@pytest.mark.parametrize("values", [{}, {"a": 1.0, "b": 1.0, "c": 99.0}, {"a": 1.0, "b": 1.0, "c": 99.0, "d": None}])
def test_too_few_to_compare(values):
    assert not any(score.ready for score in compare(values).values())


@given(st.dictionaries(st.text(max_size=3), st.floats(-1e6, 1e6), min_size=4, max_size=30))
def test_each_is_measured_by_the_others_and_not_by_itself(values):
    for name, score in compare(values).items():
        others = [value for other, value in values.items() if other != name]
        assert score.expected == pytest.approx(statistics.median(others))


def test_who_has_no_value_is_left_out():
    found = compare({"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0, "e": float("nan")})
    assert sorted(found) == ["a", "b", "c", "d"]

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers come back as they were; what is no packed number is refused."""

from __future__ import annotations

import json
import math
from array import array

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.packing import (
    number,
    pack,
    part,
    unpack,
    valid,
)
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=50))
def test_numbers_come_back(values):
    assert list(unpack(json.loads(json.dumps(pack(array("f", values)))), 50)) == values


@given(st.lists(st.integers(0, 65535), max_size=50))
def test_counts_come_back(values):
    assert list(unpack(pack(array("H", values)), 50, "H")) == values


def test_the_least_byte_comes_first():
    assert pack(array("H", [1])) == "AQA="


@pytest.mark.parametrize(
    "text", [None, 7, [], "AAA", "AAAAAA=", "AAA=", "\u00e4\u00e4\u00e4\u00e4", "A" * 4000, "!!!!"]
)
def test_what_is_nothing_packed(text):
    with pytest.raises(ValueError, match="packed"):
        unpack(text, 3)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e38])
def test_what_is_no_value(bad):
    with pytest.raises(ValueError, match="no value"):
        valid([1.0, bad, 2.0])


def test_a_gap_is_one_where_gaps_may_be():
    valid([math.nan, 1.0, math.nan], gaps=True)
    valid([])
    with pytest.raises(ValueError, match="no value"):
        valid([math.nan, math.inf], gaps=True)


@pytest.mark.parametrize("value", [None, "1", True, math.nan, -1, 11, 10**400, []])
def test_what_is_no_number_of_a_state(value):
    with pytest.raises(ValueError, match="x is no number from 0 to 10"):
        number({"x": value}, "x", 0, 10)


def test_a_number_of_a_state():
    assert (number({"x": 3}, "x", 0, 10), number({}, "x", 0, 10), number({}, "x", 2, 10)) == (3.0, 0.0, 2.0)


def test_a_state_within_a_state():
    assert part({"a": {"b": 1}}, "a") == {"b": 1}
    assert part({}, "a") == {}
    for state in (None, [], {"a": 1}):
        with pytest.raises(ValueError, match="a is no state"):
            part(state, "a")

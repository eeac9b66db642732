# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One detector, or one sample, is an opinion; nothing at all where there was always something is none."""

from __future__ import annotations

import json
import math
import random

from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.consensus import Series
from hypothesis import given
from hypothesis import strategies as st

PERIOD = 48


def value(number, chance):
    return 100 + 30 * math.sin(2 * math.pi * number / PERIOD) + chance.gauss(0, 1)


def learned(days=6):
    series, chance = Series(period=PERIOD), random.Random(1)
    for number in range(days * PERIOD):
        series.observe(value(number, chance), number)
    return series


def test_a_level_that_moves_is_agreed_on_and_one_sample_is_not():
    series, chance = learned(), random.Random(2)
    start = 6 * PERIOD
    assert not series.observe(value(start, chance) + 40, start).anomalous
    for number in range(start + 1, start + PERIOD):
        assert not series.observe(value(number, chance), number).anomalous
    found = [series.observe(value(number, chance) + 40, number) for number in range(start + PERIOD, start + PERIOD + 6)]
    assert found[-1].anomalous
    assert {"seasonal", "smoothed"} <= set(found[-1].votes)


def test_nothing_at_once_is_found_at_once():
    series = learned()
    verdict = series.observe(0.0, 6 * PERIOD)
    assert verdict.anomalous
    assert "gone" in verdict.votes


def test_nothing_is_normal_where_it_was_before():
    series = Series()
    for number in range(100):
        series.observe(0.0 if number % 10 == 0 else 1.0, number)
    assert not series.observe(0.0, 100).anomalous


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)), max_size=120))
def test_whatever_comes_is_judged_and_survives_a_restart(values):
    series, again = Series(period=4), Series(period=4)
    for number, each in enumerate(values):
        series.observe(each, number)
    again.load(json.loads(json.dumps(series.dump())))
    first, second = series.observe(1.0, len(values)), again.observe(1.0, len(values))
    assert first.scores == second.scores


def test_nobody_can_judge_the_first_sample():
    assert not Series(period=PERIOD).observe(5.0, 0).ready

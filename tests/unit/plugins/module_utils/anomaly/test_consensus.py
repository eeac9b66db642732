# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One detector, or one sample, is an opinion; nothing at all where there was always something is none."""

from __future__ import annotations

import json
import math
import random

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.consensus import Series, Votes
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.score import Score
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


def level(direction, value):
    series, chance = Series(direction=direction), random.Random(1)
    for number in range(60):
        series.observe(chance.gauss(100, 2), number)
    return [series.observe(value, number).anomalous for number in range(60, 66)][-1]


@pytest.mark.parametrize(
    ("direction", "value", "anomalous"),
    [
        ("both", 200.0, True),
        ("both", 50.0, True),
        ("both", 0.0, True),
        ("up", 200.0, True),
        ("up", 50.0, False),
        ("up", 0.0, False),
        ("down", 200.0, False),
        ("down", 50.0, True),
        ("down", 0.0, True),
    ],
)
def test_what_is_off_to_the_harmless_side_is_no_finding(direction, value, anomalous):
    assert level(direction, value) is anomalous


def test_who_insists_on_everything_loses_its_vote_until_it_is_quiet_again():
    votes, odd, usual = Votes(), Score(3.0, 0.0, -1.0, 1.0), Score(0.5, 0.0, -1.0, 1.0)
    for number in range(400):
        votes.add("robust", odd if number % 4 else usual)
    assert not votes.trusted("robust")
    assert votes.add("robust", odd) == 0
    for _each in range(6000):
        votes.add("robust", usual)
    assert votes.trusted("robust")
    assert [votes.add("robust", odd) for _each in range(3)] == [0, 0, 1]


def test_the_best_of_them_needs_nobody_when_it_is_sure():
    votes = Votes()
    assert [votes.add("seasonal", Score(2.5, 0.0, -1.0, 1.0), best=True) for _each in range(3)] == [0, 0, 2]
    votes = Votes()
    assert [votes.add("seasonal", Score(1.5, 0.0, -1.0, 1.0), best=True) for _each in range(3)] == [0, 0, 1]


def test_trust_survives_a_restart():
    votes, again = Votes(), Votes()
    for number in range(400):
        votes.add("robust", Score(3.0 * (number % 2), 0.0, -1.0, 1.0))
    again.load(json.loads(json.dumps(votes.dump())))
    assert again.trusted("robust") is votes.trusted("robust") is False


def test_work_that_begins_a_little_sooner_or_later_every_day_is_normal_and_its_absence_is_not():
    day, chance, series = 288, random.Random(1), Series(period=288, resolution=1.0)
    found = []
    for number in range(10 * day):
        if number % day == 0:
            begin, end = 100 + chance.randint(-2, 2), 160 + chance.randint(-2, 2)
        busy = begin <= number % day < end and number < 9 * day
        found.append(series.observe((90 if busy else 3) + chance.gauss(0, 0.5), number).anomalous)
    assert not any(found[5 * day : 9 * day + 95])
    assert any(found[9 * day + 100 : 9 * day + 110])

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is normal at noon is none at night; what is learned survives a restart, and an anomaly teaches little."""

from __future__ import annotations

import json
import math
import random

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.seasonal import HoltWinters, Seasonal

PERIOD = 48


def day(number, chance):
    return 100 + 50 * math.sin(2 * math.pi * number / PERIOD) + chance.gauss(0, 1)


def learned(detector, days=6):
    chance = random.Random(1)
    for number in range(days * PERIOD):
        detector.observe(day(number, chance), number)
    return detector


@pytest.fixture(params=[Seasonal, HoltWinters])
def make(request):
    return lambda: request.param(PERIOD)


def test_the_days_curve_is_normal_and_its_height_at_another_time_is_not(make):
    detector, chance = learned(make()), random.Random(2)
    start = 6 * PERIOD
    scores = [detector.observe(day(number, chance), number) for number in range(start, start + PERIOD)]
    assert all(score.ready for score in scores)
    assert sum(score.anomalous for score in scores) <= 2
    night = start + PERIOD + 3 * PERIOD // 4
    assert detector.observe(150.0, night, learn=False).anomalous
    noon = start + PERIOD + PERIOD // 4
    assert not detector.observe(150.0, noon, learn=False).anomalous


def test_it_judges_nothing_before_it_has_seen_enough(make):
    detector, chance = make(), random.Random(1)
    assert not any(detector.observe(day(number, chance), number).ready for number in range(2 * PERIOD))


def test_it_goes_on_after_a_restart(make):
    first, second, chance = learned(make()), make(), random.Random(3)
    second.load(json.loads(json.dumps(first.dump())))
    for number in range(6 * PERIOD, 7 * PERIOD):
        value = day(number, chance)
        assert first.observe(value, number) == second.observe(value, number)


def test_a_state_of_another_period_is_begun_anew(make):
    state = learned(make()).dump()
    other = type(make())(PERIOD * 2)
    other.load(state)
    assert not other.observe(100.0, 0).ready


def test_a_gap_and_a_pause_teach_nothing(make):
    detector = learned(make())
    before = json.dumps(detector.dump())
    detector.observe(None, 5)
    detector.observe(float("nan"), 6)
    detector.observe(1e9, 7, learn=False)
    assert json.dumps(detector.dump()) == before


def test_an_anomaly_hardly_moves_what_is_expected():
    detector = learned(HoltWinters(PERIOD))
    start = 6 * PERIOD
    before = detector.observe(100.0, start, learn=False).expected
    detector.observe(1e6, start)
    after = detector.observe(100.0, start + PERIOD, learn=False).expected
    assert abs(after - before) < 10

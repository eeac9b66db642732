# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A point far from the last ones and a level that has moved are seen; noise, gaps and a single spike are not."""

from __future__ import annotations

import json
import random
import statistics

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.robust import Robust, Shift, Window
from hypothesis import given
from hypothesis import strategies as st


def noise(count, level=100.0, spread=2.0, seed=1):
    chance = random.Random(seed)
    return [chance.gauss(level, spread) for _each in range(count)]


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=80), st.integers(1, 20))
def test_a_window_is_its_last_values(values, size):
    window = Window(size)
    for value in values:
        window.add(value)
    assert window.latest() == values[-size:]
    again = Window(size)
    again.load(window.dump())
    assert again.latest() == values[-size:]
    assert again.centre() == window.centre()
    assert window.centre()[0] == statistics.median(values[-size:])
    assert window.least() == min(values[-size:])


def test_noise_is_normal_and_a_far_point_is_not():
    detector = Robust()
    scores = [detector.observe(value) for value in noise(300)]
    assert not any(score.ready for score in scores[:30])
    assert sum(score.anomalous for score in scores) <= 3
    assert detector.observe(130.0).anomalous
    assert detector.observe(70.0).anomalous
    assert not detector.observe(101.0).anomalous


def test_a_constant_has_a_floor():
    detector = Robust(floor=0.01)
    for _each in range(50):
        detector.observe(100.0)
    # 3.2 times one percent.
    assert not detector.observe(103.1).anomalous
    assert detector.observe(103.3).anomalous


def test_nothing_is_learned_while_it_is_told_not_to():
    detector = Robust()
    for value in noise(60):
        detector.observe(value)
    before = detector.dump()
    for _each in range(500):
        assert detector.observe(500.0, learn=False).anomalous
    assert detector.dump() == before


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_gap_teaches_nothing(value):
    detector = Robust()
    for each in noise(60):
        detector.observe(each)
    before = detector.dump()
    assert not detector.observe(value).ready
    assert detector.dump() == before


def test_it_goes_on_after_a_restart():
    first, second = Robust(), Robust()
    for value in noise(100):
        first.observe(value)
    second.load(json.loads(json.dumps(first.dump())))
    for value in noise(50, seed=2):
        assert first.observe(value) == second.observe(value)


def test_a_level_that_moved_a_little_is_seen_in_time_and_a_spike_is_not():
    robust = Robust()
    shift = Shift(robust)
    for value in noise(200):
        shift.observe(value)
        robust.observe(value)
    assert not shift.observe(1e6).anomalous
    for _each in range(5):
        shift.observe(100.0)
    found = [shift.observe(105.0).anomalous for _each in range(20)]
    assert found[-1]
    assert not found[0]

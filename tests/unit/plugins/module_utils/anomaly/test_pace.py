# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A step is learned once, whatever the clock does; nothing is learned while a rollout runs and settles."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.pace import Freeze, Pace
from hypothesis import given
from hypothesis import strategies as st


def test_a_step_begins_once():
    pace = Pace()
    assert [pace.fresh(now, 300) for now in (600.0, 660.0, 899.9, 900.0, 1000.0)] == [2, None, None, 3, None]


def test_a_clock_that_is_set_back_learns_nothing_twice():
    pace = Pace()
    assert pace.fresh(7200.0, 300) == 24
    assert [pace.fresh(now, 300) for now in (3600.0, 5000.0, 7200.0)] == [None, None, None]
    assert pace.fresh(7500.0, 300) == 25


def test_a_clock_that_was_years_ahead_is_forgiven():
    pace = Pace()
    pace.fresh(4e9, 300)
    assert pace.fresh(1.7e9, 300) is not None
    assert pace.fresh(1.7e9 + 300, 300) is not None


@given(st.lists(st.floats(0, 80000), max_size=50))
def test_no_step_is_learned_twice(times):
    pace = Pace()
    steps = [step for step in (pace.fresh(now, 60) for now in times) if step is not None]
    assert steps == sorted(set(steps))


def test_what_was_missed():
    pace = Pace()
    assert pace.missed(9000.0, 300) == 0
    pace.fresh(9000.0, 300)
    assert pace.missed(9300.0, 300) == 300
    assert pace.missed(3000.0, 300) == 0


@pytest.mark.parametrize(("runs", "now", "rests"), [(False, 0.0, False), (True, 0.0, True), (None, 0.0, True)])
def test_unknown_is_not_no(runs, now, rests):
    assert Freeze(600).look(runs, now) is rests


def test_what_a_rollout_did_settles_first():
    freeze = Freeze(600)
    told = [(0.0, True), (60.0, True), (120.0, False), (659.0, False), (661.0, False)]
    assert [freeze.look(runs, now) for now, runs in told] == [True, True, True, True, False]


def test_a_clock_that_is_set_back_makes_no_pause_of_years():
    freeze = Freeze(600, until=4e9)
    assert freeze.look(False, 1.7e9)
    assert not freeze.look(False, 1.7e9 + 601)

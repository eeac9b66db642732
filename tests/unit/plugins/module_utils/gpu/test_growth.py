# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts is that a counter grew. A reset is no growth, and settles what was told."""

from __future__ import annotations

import json

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.expect import LIMITS
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.growth import (
    DRAM,
    REPLAYS,
    ROWS,
    History,
    follow,
    recall,
    remember,
)
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.records import Ecc, Gpu
from hypothesis import given, settings
from hypothesis import strategies as st


def gpu(dram: int | None = 0, rows: int | None = 0, replays: int | None = 0, throttle=frozenset()) -> Gpu:
    return Gpu(
        0, uuid="u", volatile=Ecc(0, 0, 0, dram), remap_uncorrected=rows, pcie_replays=replays, throttle=throttle
    )


def looks(*each: Gpu, step: float = 60.0) -> History:
    history = None
    for number, one in enumerate(each):
        history = follow(one, history, 1000.0 + number * step)
    assert history is not None
    return history


def test_at_the_first_look_only_what_counts_from_the_drivers_load_has_grown():
    history = looks(gpu(dram=3, rows=7, replays=900))
    assert {name: one.by for name, one in history.grown.items()} == {DRAM: 3}


def test_a_counter_that_stands_still_did_not_grow():
    assert looks(gpu(rows=7, replays=900), gpu(rows=7, replays=900)).grown == {}


def test_growth_is_remembered_and_added_up():
    history = looks(gpu(), gpu(dram=1), gpu(dram=1), gpu(dram=3))
    assert (history.grown[DRAM].by, history.grown[DRAM].at) == (3, 1180.0)


def test_a_reset_is_no_growth_and_settles_what_was_told():
    assert looks(gpu(dram=5), gpu(dram=0)).grown == {}
    assert looks(gpu(dram=5), gpu(dram=2)).grown == {}


def test_a_counter_that_cannot_be_read_is_remembered():
    history = looks(gpu(rows=7), gpu(rows=None), gpu(rows=9))
    assert history.grown[ROWS].by == 2
    assert looks(gpu(dram=5), gpu(dram=None)).grown[DRAM].by == 5


def test_growth_is_told_for_its_time():
    last = 1000.0 + LIMITS.hold_s
    assert DRAM in follow(gpu(dram=5), looks(gpu(dram=5)), last).grown
    assert DRAM not in follow(gpu(dram=5), looks(gpu(dram=5)), last + 1).grown


def test_how_fast_is_said_of_the_last_growth_alone():
    history = looks(gpu(replays=900), gpu(replays=1000), gpu(replays=1030))
    assert history.grown[REPLAYS].per_minute == 30.0


@pytest.mark.parametrize(("step", "count"), [(60.0, 10), (5.0, 5)])
def test_slowdowns_count_once_a_minute_however_often_one_looks(step, count):
    slow = gpu(throttle=frozenset({"hw_thermal_slowdown"}))
    history = looks(*[slow] * (10 if step == 60 else 60), step=step)
    assert len(history.slowed) == count


def test_heat_that_the_driver_handles_is_no_slowdown_of_the_hardware():
    assert looks(gpu(throttle=frozenset({"sw_thermal_slowdown"}))).slowed == ()
    assert looks(gpu(throttle=None)).slowed == ()


def test_what_is_written_down_is_recalled():
    history = looks(gpu(), gpu(dram=2, throttle=frozenset({"hw_slowdown"})))
    assert recall(json.loads(json.dumps(remember({"u": history})))) == {"u": history}


def test_no_more_is_remembered_than_a_host_can_have():
    assert len(remember({str(n): History() for n in range(100)})) == 64
    assert len(recall({str(n): remember({"u": History()})["u"] for n in range(100)})) == 64


NOISE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["u", "at", "counters", "grown", "slowed"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(NOISE)
@settings(max_examples=40, deadline=None)
def test_what_was_not_written_by_us_is_forgotten(said):
    for history in recall(said).values():
        follow(gpu(dram=2), history, 5000.0)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_growth_since_the_last_reset(values):
    history = looks(*[gpu(dram=value) for value in values])
    start = max((n for n in range(1, len(values)) if values[n] < values[n - 1]), default=None)
    expected = values[-1] if start is None else values[-1] - values[start]
    assert (history.grown[DRAM].by if DRAM in history.grown else 0) == expected

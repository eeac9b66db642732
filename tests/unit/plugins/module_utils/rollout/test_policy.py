# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy: what may be said, what counts, and that nonsense is refused before anything is changed."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.policy import (
    COUNTS,
    KNOWN,
    LISTS,
    NUMBERS,
    rollout_policy,
    settle,
)
from hypothesis import given, settings
from hypothesis import strategies as st


def test_nothing_said_is_one_at_a_time_with_all_others_serving():
    policy = settle({}, 4)
    assert (policy.canary, policy.max_parallel, policy.min_available, policy.ramp) == (1, 1, 3, (100,))
    assert policy.values["bake_time"] == 30
    assert policy.values["on_failure"] == "revert_batch"


@pytest.mark.parametrize(
    ("said", "size", "counts"),
    [
        ({"max_parallel": "25%"}, 10, (1, 2, 8)),
        ({"max_parallel": "25%"}, 2, (1, 1, 1)),
        ({"max_parallel": "25%", "canary": "100%"}, 8, (2, 2, 6)),
        ({"min_available": "50%"}, 5, (1, 1, 3)),
        ({"min_available": 0}, 3, (1, 1, 0)),
        ({"min_available": None, "max_parallel": ""}, 3, (1, 1, 2)),
        ({"max_parallel": 9}, 3, (1, 9, 1)),
    ],
)
def test_shares_of_the_pool(said, size, counts):
    """The floor rounds up, what may be out rounds down; and one server must always stay unless it is said otherwise."""
    policy = settle(said, size)
    assert (policy.canary, policy.max_parallel, policy.min_available) == counts


@pytest.mark.parametrize(
    ("said", "ramp"),
    [([], (100,)), ([25, 50], (25, 50, 100)), (["25%", "100%"], (25, 100)), ("10, 50%", (10, 50, 100))],
)
def test_a_ramp_ends_at_the_whole_weight(said, ramp):
    assert settle({"ramp": said}, 3).ramp == ramp


def test_a_bake_is_never_longer_than_its_longest():
    assert settle({"bake_time": 900}, 3).values["max_bake_time"] == 900


def test_text_of_the_command_line_is_understood():
    policy = settle({"bake_time": "60", "nodes_excluded": "gpu3, gpu4", "admit_drained": "yes", "max_parallel": "1"}, 9)
    assert policy.values["bake_time"] == 60
    assert policy.values["nodes_excluded"] == ["gpu3", "gpu4"]
    assert policy.values["admit_drained"] is True


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"bake_tmie": 3}, "unknown key bake_tmie"),
        ({7: 3, "x": 1}, "unknown key 7, x"),
        ({"bake_time": -1}, "bake_time is -1, but must be a number from 0 to 86400"),
        ({"bake_time": "soon"}, "bake_time is 'soon'"),
        ({"bake_time": True}, "bake_time is True"),
        ({"bake_time": float("nan")}, "bake_time is nan"),
        ({"bake_time": 10**400}, "bake_time is 1000"),
        ({"lease_ttl": 9}, "lease_ttl is 9"),
        ({"on_failure": "explode"}, "on_failure is 'explode', but must be one of revert_batch, revert_all, stop"),
        ({"on_failure": ["fail"]}, "on_failure is"),
        ({"max_parallel": 0}, "max_parallel is 0, but must be a count from 1"),
        ({"max_parallel": "101%"}, "max_parallel is '101%'"),
        ({"max_parallel": 1.5}, "max_parallel is 1.5"),
        ({"canary": "nan%"}, "canary is 'nan%'"),
        ({"min_available": -1}, "min_available is -1, but must be a count from 0"),
        ({"ramp": [50, 25]}, "ramp is "),
        ({"ramp": [0]}, "ramp is "),
        ({"ramp": [101]}, "ramp is "),
        ({"ramp": 50}, "ramp is 50, but must be a list"),
        ({"nodes_excluded": [{"name": "gpu1"}]}, "nodes_excluded holds .* must be a list of names"),
        ({"custom_gates": ["/bin/true"]}, "custom_gates holds '/bin/true', but must be a list of mappings"),
        ({"prometheus_queries": "up"}, "prometheus_queries holds 'up'"),
    ],
)
def test_what_cannot_be_meant_is_refused(said, reason):
    with pytest.raises(Refused, match=f"not begun: .*{reason}.*Nothing was changed"):
        settle(said, 3)


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(Refused) as caught:
        settle({"strange": 1, "bake_time": -1, "on_failure": "?", "ramp": [0], "canary": "x", "custom_gates": 3}, 3)
    assert len(caught.value.evidence["reasons"]) == 6


def test_what_was_asked_for_takes_the_place_of_what_was_declared():
    declared = {"bake_time": 30, "canary": 1}
    assert rollout_policy(declared, {"bake_time": 5, "pool": "serving"}) == {"bake_time": 5, "canary": 1}
    assert rollout_policy(None, {}) == {}


def test_every_key_comes_back_and_comes_back_the_same():
    policy = settle({"ramp": [10], "max_parallel": "50%"}, 4)
    assert set(policy.to_dict()) == KNOWN
    assert settle(policy.to_dict(), 4) == policy


GARBAGE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["25%", "-3%", "nan%", "inf", "1e999", "0x1", "٣"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(KNOWN)) | st.text(max_size=4) | st.integers(), GARBAGE, max_size=5),
    st.integers(0, 50),
)
def test_garbage_is_refused_or_understood_and_nothing_else(given_policy, size):
    try:
        policy = settle(given_policy, size)
    except Refused:
        return
    for key, (_default, least, most) in NUMBERS.items():
        assert least <= policy.values[key] <= most
    assert 1 <= policy.canary <= policy.max_parallel
    assert policy.min_available >= 0
    assert list(policy.ramp) == sorted(policy.ramp)
    assert policy.ramp[-1] == 100
    assert all(isinstance(policy.values[key], list) for key in LISTS if key != "ramp")
    assert set(policy.to_dict()) == KNOWN >= set(COUNTS)

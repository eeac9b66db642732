# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each code asks for. A stricter policy never asks for less; the operator's word goes before all of them."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.findings import ACTIONS, SEVERITIES
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.policy import (
    FIXED,
    POLICIES,
    Policy,
    decide,
    decide_sxid,
    policy,
)
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.xid_policy import MONITORED, XIDS
from hypothesis import given, settings
from hypothesis import strategies as st

# What the disagreements between the sources come to: lenient, nvidia, cautious.
CASES = {
    13: ("none", "restart_app", "restart_app"),
    31: ("none", "restart_app", "restart_app"),
    43: ("none", "none", "restart_app"),
    45: ("none", "none", "none"),
    46: ("reset_gpu", "reset_gpu", "reboot"),
    48: ("reset_gpu", "reset_gpu", "reboot"),
    54: ("none", "none", "isolate"),
    61: ("none", "none", "reboot"),
    62: ("reset_gpu", "reset_gpu", "reboot"),
    63: ("none", "none", "reboot"),
    64: ("reset_gpu", "reset_gpu", "reboot"),
    74: ("reset_gpu", "reset_gpu", "reboot"),
    79: ("reboot", "reboot", "reboot"),
    92: ("none", "none", "none"),
    94: ("none", "restart_app", "reboot"),
    95: ("reset_gpu", "reset_gpu", "reboot"),
    109: ("none", "reset_gpu", "reset_gpu"),
    119: ("reset_gpu", "reset_gpu", "reboot"),
    143: ("reset_gpu", "reset_gpu", "isolate"),
    149: ("none", "none", "reboot"),
    151: ("reboot", "reboot", "reboot"),
    172: ("reboot", "reboot", "reboot"),
    174: ("none", "none", "none"),
}


@pytest.mark.parametrize(("code", "actions"), CASES.items())
def test_disagreements(code, actions):
    assert tuple(decide(code, False, Policy(name)).action for name in POLICIES) == actions


@given(st.integers(0, 400), st.booleans(), st.dictionaries(st.integers(0, 400), st.sampled_from(ACTIONS), max_size=3))
@settings(max_examples=40, deadline=None)
def test_a_stricter_policy_never_asks_for_less(code, fatal, overrides):
    decisions = [decide(code, fatal, Policy(name, overrides)) for name in POLICIES]
    ranks = [(ACTIONS.index(one.action), SEVERITIES.index(one.severity)) for one in decisions]
    assert ranks == sorted(ranks)
    assert [rank[1] for rank in ranks] == sorted(rank[1] for rank in ranks)


def test_a_stricter_policy_never_asks_for_less_of_any_code():
    for code in range(0, 200):
        for fatal in (False, True):
            decisions = [decide(code, fatal, Policy(name)) for name in POLICIES]
            assert [ACTIONS.index(one.action) for one in decisions] == sorted(
                ACTIONS.index(one.action) for one in decisions
            )
            assert [SEVERITIES.index(one.severity) for one in decisions] == sorted(
                SEVERITIES.index(one.severity) for one in decisions
            )


@given(st.integers(0, 25000), st.booleans())
@settings(max_examples=40, deadline=None)
def test_nor_of_any_sxid(code, fatal):
    decisions = [decide_sxid(code, fatal, Policy(name)) for name in POLICIES]
    assert [ACTIONS.index(one.action) for one in decisions] == sorted(ACTIONS.index(one.action) for one in decisions)
    # What the line calls fatal is never milder than what it does not.
    milder = [decide_sxid(code, False, Policy(name)) for name in POLICIES]
    assert all(ACTIONS.index(a.action) >= ACTIONS.index(b.action) for a, b in zip(decisions, milder))


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("action", ACTIONS)
def test_overrides_are_honoured(name, action):
    for code in set(range(0, 200)) - set(FIXED):
        assert decide(code, True, policy(name, {code: action})).action == action


@pytest.mark.parametrize(
    ("name", "overrides"),
    [("strict", {}), ("nvidia", {45: "reboot"}), ("nvidia", {154: "none"}), ("nvidia", {79: "explode"})],
)
def test_what_is_not_known_or_must_not_be_is_refused(name, overrides):
    with pytest.raises(Refused):
        policy(name, overrides)


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("code", [0, 177, 999, 174])
def test_an_unknown_code_asks_for_a_person_and_nothing_else(name, code):
    decision = decide(code, True, Policy(name))
    assert (decision.action, decision.severity, decision.person) == ("none", "warning", True)


@pytest.mark.parametrize("name", POLICIES)
def test_removed_channels_never_act(name):
    decision = decide(45, True, Policy(name))
    assert (decision.action, decision.severity, decision.person) == ("none", "info", False)


def test_what_nobody_repairs_is_a_persons_or_of_no_account():
    """No policy asks for nothing, says nothing of a person, and calls it critical."""
    for code in set(XIDS) | MONITORED:
        for name in POLICIES:
            one = decide(code, False, Policy(name))
            assert one.action != "none" or one.person or one.severity == "info"


def test_nvlink_5_says_itself_whether_it_is_fatal():
    assert decide(145, False, Policy("nvidia")).action == "none"
    assert decide(145, True, Policy("nvidia")).action == "reset_gpu"
    assert decide(145, True, Policy("lenient")).action == "reset_gpu"
    assert decide(79, True, Policy("nvidia")).action == decide(79, False, Policy("nvidia")).action


@pytest.mark.parametrize(
    ("code", "fatal", "actions"),
    [
        (23001, False, ("reboot", "reboot", "reboot")),
        (24007, True, ("reboot", "reboot", "reboot")),
        (24007, False, ("none", "none", "reboot")),
        (12028, False, ("none", "none", "reboot")),
        (20001, False, ("none", "none", "none")),
        (28006, True, ("none", "none", "none")),
    ],
)
def test_sxids(code, fatal, actions):
    assert tuple(decide_sxid(code, fatal, Policy(name)).action for name in POLICIES) == actions

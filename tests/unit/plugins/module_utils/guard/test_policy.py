# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy: defaults that brake, and errors that say what to do."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Refused
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.policy import LIMITS, WHOLE, read_policy
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.replay.storm import POLICY
from tests.unit.plugins.module_utils.guard.fleet import DOCUMENT


def read(**change):
    return read_policy({**DOCUMENT, **change})


def test_the_defaults_are_those_of_the_research():
    limits = read().limits
    assert limits == {key: default for key, (default, _least, _most) in LIMITS.items()}
    assert (limits["rate"], limits["rate_window"], limits["cooldown"]) == (3, 3600, 1800)
    assert (limits["attempts"], limits["attempts_window"], limits["patience"]) == (2, 86400, 300)
    assert (limits["breaker_percent"], limits["breaker_window"], limits["breaker_failures"]) == (20, 600, 3)
    assert (limits["breaker_burn"], limits["signals_destructive"], read().max_age) == (14.4, 2, 30)
    assert all(least <= default <= most for default, least, most in LIMITS.values())
    assert set(LIMITS) >= WHOLE


@pytest.mark.parametrize(
    ("said", "size", "floor"),
    [(None, 3, 2), (None, 2, 2), (None, 10, 6), (2, 3, 2), ("75%", 10, 8), ("0%", 10, 0), ("100%", 3, 3), (9, 3, 9)],
)
def test_a_floor_is_a_count_or_a_share_that_rounds_up(said, size, floor):
    pools = {} if said is None else {"serving": {"min_available": said}}
    assert read(pools=pools).floor("serving", size) == floor
    assert read(limits={"min_available": "100%"}).floor("serving", size) == size


@pytest.mark.parametrize(
    ("count", "size", "at_once"),
    [(1, 3, 1), (1, 100, 1), (5, 3, 1), (5, 20, 2), (5, 100, 5), (100, 0, 1), (100, 1000, 100)],
)
def test_at_once_a_count_or_a_tenth_but_one(count, size, at_once):
    assert read(limits={"max_concurrent": count}).at_once(size) == at_once


@pytest.mark.parametrize(
    ("name", "destructive", "approval"),
    [("restart", False, False), ("reset_gpu", True, True), ("reboot", True, True), ("failback", False, True)],
)
def test_what_loses_work_needs_a_person(name, destructive, approval):
    action = read(actions={**DOCUMENT["actions"], name: {"playbook": "x"}}).actions[name]
    assert (action.destructive, action.approval, action.costs_capacity) == (destructive, approval, True)
    own = {name: {"playbook": "x", "destructive": True}}
    assert read(actions={**DOCUMENT["actions"], **own}).actions[name].approval


def test_a_person_may_be_asked_for_an_alert_or_waived_for_an_action():
    policy = read(
        actions={**DOCUMENT["actions"], "reboot": {"playbook": "reboot", "approval": False}},
        alerts={**DOCUMENT["alerts"], "Hung": {"actions": ["restart"], "approval": True}},
    )
    assert not policy.needs_approval(policy.alerts["Down"], policy.actions["reboot"])
    assert policy.needs_approval(policy.alerts["Hung"], policy.actions["restart"])


def test_an_alert_has_limits_of_its_own_but_none_that_all_share():
    policy = read(alerts={**DOCUMENT["alerts"], "Hung": {"actions": ["restart"], "limits": {"cooldown": 60}}})
    assert policy.limit("cooldown", policy.alerts["Hung"]) == 60
    assert policy.limit("cooldown", policy.alerts["Full"]) == 1800
    with pytest.raises(Refused, match=r"alerts\.Hung\.limits has rate, which is not known"):
        read(alerts={"Hung": {"actions": ["restart"], "limits": {"rate": 50}}})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"limit": {}}, "policy has limit, which is not known"),
        ({"limits": {"rate": 1000}}, "limits.rate is 1000, but must be a whole number from 0 to 60"),
        ({"limits": {"breaker_percent": 100}}, "limits.breaker_percent is 100, but must be a number from 1 to 50"),
        ({"limits": {"speed": 1}}, "limits has speed"),
        ({"limits": {"signals": 5}}, "limits.signals_destructive is 2.*no less than limits.signals"),
        ({"limits": {"min_available": "half"}}, "limits.min_available is 'half', but must be a count, or a share"),
        ({"pools": {"serving": {"min_available": "101%"}}}, "pools.serving.min_available"),
        ({"pools": {"serving": {"min_available": True}}}, "pools.serving.min_available"),
        ({"pools": {"serving": {"floor": 1}}}, "pools.serving has floor"),
        ({"actions": None}, "actions is None, but must be a mapping"),
        ({"alerts": None}, "alerts is None"),
        ({"actions": {"restart": {}}}, "actions.restart.playbook is None"),
        (
            {"actions": {"reboot": {"playbook": "x", "destructive": False}}},
            "actions.reboot.destructive is false.*leave it out",
        ),
        (
            {"alerts": {"Hung": {"actions": ["restrt"]}}},
            "alerts.Hung.actions names restrt, which actions does not declare",
        ),
        ({"alerts": {"Hung": {"actions": []}}}, "alerts.Hung.actions names nothing to do"),
        ({"alerts": {"Hung": {}}}, "alerts.Hung.actions is None"),
        ({"dry_run": "yes"}, "dry_run is 'yes', but must be true or false"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(change, said):
    with pytest.raises(Refused, match=said):
        read(**change)


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(Refused) as caught:
        read(limits={"rate": "x", "attempts": 0}, dry_run=1)
    assert len(caught.value.evidence["reasons"]) == 3


def test_one_policy_is_told_from_another():
    assert read().digest == read().digest != read(dry_run=True).digest


def test_the_example_is_a_policy():
    assert read_policy(yaml.safe_load(POLICY.read_text())).actions["reset_gpu"].approval


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["limits", "pools", "actions", "alerts", "dry_run", "x"]), ANYTHING))
def test_garbage_raises_only_our_errors(said):
    try:
        read_policy(said)
    except PlatformError:
        pass

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about the host, each at its edge."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import desk as ops
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import host_rules as rules
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.case import Case, View
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.facts import Signal

from tests.replay.desk import Desk
from tests.unit.plugins.module_utils.guard.fleet import alert, known, policy


def case(desk=None, event=None, under=None, act=True, **view):
    desk, event, under = desk or Desk(), event or alert(), under or policy()
    found = Case(
        event, desk.state, under, desk.state.clock.at(desk.now), desk.now.wall, under.alerts.get(event.alert),
        View(**{"pool": "serving", "size": 20, "up": 20, **view}),
    )  # fmt: skip
    return Case(**{**vars(found), "action": rules.choose(found)}) if act else found


def worked(desk, host="n1", name="Hung", outcome="done", seconds=60):
    # Later than the end of the last one, or it would be stale.
    desk.true += 1
    event = alert(host, desk.true, name)
    said = desk.put(lambda state, now: ops.ask(state, event, known(), policy(rate=60, cooldown=0), now))
    permit = str(said["seq"])
    desk.put(lambda state, now: ops.begin(state, permit, now))
    desk.true += seconds
    if outcome:
        desk.put(lambda state, now: ops.end(state, permit, outcome, "", policy(), now))
    return said["action"]


def test_a_host_that_nobody_knows_and_facts_that_are_old():
    assert rules.unknown_host(case()) is None
    assert rules.unknown_host(case(pool="")).reason == "n1 is in no pool that is known"
    assert rules.unknown_host(case(age=30)) is None
    said = rules.unknown_host(case(age=31))
    assert (said.verdict, said.reason) == ("wait", "what is known is 31 s old, at most 30 s are allowed")


@pytest.mark.parametrize(
    ("view", "limits", "spoke"),
    [
        ({}, {}, False),
        ({"domain": "rack1"}, {}, False),
        ({"domain": "rack1", "together": ("n2",)}, {}, True),
        ({"domain": "rack1", "together": ("n2",)}, {"domain_hosts": 3}, False),
        ({"domain": "rack1", "together": ("n2", "n3")}, {"domain_hosts": 3}, True),
    ],
)
def test_what_fails_together_is_left_alone(view, limits, spoke):
    said = rules.whole_domain(case(under=policy(**limits), **view))
    assert bool(said) is spoke
    if spoke:
        assert (said.verdict, said.numbers["hosts"]) == ("refuse", len(view["together"]) + 1)
        assert "it is rack1, not n1" in said.reason


def test_somebody_works_there():
    assert rules.silenced(case()) is None
    assert rules.silenced(case(silenced=True)).reason == "n1 is silenced"
    assert rules.deploying(case()) is None
    assert rules.deploying(case(held_by="alice")).reason == "serving is held by alice"


def test_one_action_at_a_time_on_a_host_until_somebody_says_how_it_ended():
    desk = Desk()
    assert rules.busy(case(desk)) is None
    worked(desk, outcome="", seconds=1e6)
    assert rules.busy(case(desk)).reason == "restart is under way on n1 since 1000000 s"
    assert rules.busy(case(desk, alert("n2"))) is None


@pytest.mark.parametrize(("passed", "left"), [(0, 1800), (1799, 1), (1800, None)])
def test_a_host_cools_down(passed, left):
    desk = Desk()
    assert rules.cooling(case(desk)) is None
    worked(desk)
    desk.true += passed
    said = rules.cooling(case(desk))
    assert (said and said.retry_after) == left
    assert rules.cooling(case(desk, alert("n2"))) is None


def test_each_action_has_its_attempts_and_then_the_next_comes():
    desk = Desk()
    tried = [worked(desk) for _time in range(4)]
    assert tried == ["restart", "restart", "drain", "drain"]
    said = rules.exhausted(case(desk))
    assert (said.verdict, said.action) == ("ask", "")
    assert "each of restart, drain had 2 attempts on n1" in said.reason
    assert rules.exhausted(case(desk, alert("n2"))) is None
    assert rules.exhausted(case(desk, alert(name="Full"))) is None
    desk.true = 86401
    assert rules.choose(case(desk)).name == "restart"


def signals(*said):
    return tuple(Signal(source, bad, age) for source, bad, age in said)


@pytest.mark.parametrize(
    ("name", "said", "spoke"),
    [
        ("Hung", [], True),
        ("Hung", [("a", True, 30)], False),
        ("Hung", [("a", True, 31)], True),
        ("Hung", [("a", False, 1)], True),
        ("Hung", [("a", True, 1), ("b", False, 1)], True),
        ("Hung", [("a", True, 1), ("b", False, 31)], False),
        ("Hung", [("a", True, 1), ("b", True, 1), ("c", False, 1)], False),
        ("Down", [("a", True, 1)], True),
        ("Down", [("a", True, 1), ("a", True, 2)], True),
        ("Down", [("a", True, 1), ("b", True, 1)], False),
        ("Down", [("a", True, 1), ("b", True, 40)], True),
        ("Down", [("a", True, 1), ("b", True, 1), ("c", False, 1), ("d", False, 1)], True),
    ],
)
def test_fresh_independent_evidence_and_a_majority(name, said, spoke):
    found = rules.unproved(case(event=alert(name=name), signals=signals(*said)))
    assert bool(found) is spoke
    if spoke:
        assert (found.verdict, found.rule) == ("wait", "evidence")


def test_it_may_pass_by_itself():
    desk, under = Desk(), policy(patience=300)
    said = rules.impatient(case(desk, under=under))
    assert (said.verdict, said.retry_after) == ("wait", 300)
    desk.put(lambda state, now: ops.ask(state, alert(), known(), under, now))
    desk.true = 299
    assert rules.impatient(case(desk, under=under)).retry_after == 1
    desk.true = 300
    assert rules.impatient(case(desk, under=under)) is None
    # Another begin of the same alert is waited for anew.
    assert rules.impatient(case(desk, alert(at=1), under)).retry_after == 300


def test_without_an_alert_nothing_is_chosen():
    odd = case(event=alert(name="Odd"))
    assert odd.action is None
    assert rules.exhausted(odd) is None

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about the event itself, each at its edge."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import desk as ops
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import event_rules as rules
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.case import Case

from tests.replay.desk import BEGIN, Desk
from tests.unit.plugins.module_utils.guard.fleet import alert, known, policy

UNDER = policy()


def case(event=None, desk=None, under=UNDER):
    desk, event = desk or Desk(), event or alert()
    t = desk.state.clock.at(desk.now)
    return Case(event, desk.state, under, t, desk.now.wall, under.alerts.get(event.alert))


def working(desk, event=None):
    permit = desk.put(lambda state, now: ops.ask(state, event or alert(), known(), UNDER, now))
    return str(permit["seq"])


def test_a_pause_and_its_reason():
    desk = Desk()
    assert rules.paused(case(desk=desk)) is None
    desk.put(lambda state, _now: ops.pause(state, "alice", "moves a rack"))
    said = rules.paused(case(desk=desk))
    assert (said.verdict, said.rule) == ("wait", "pause")
    assert said.reason == "paused by alice since 2026-03-02T09:00:00+00:00: moves a rack"
    desk.put(lambda state, _now: ops.resume(state, "alice", "is done"))
    assert rules.paused(case(desk=desk)) is None


def test_a_breaker_that_has_tripped():
    desk = Desk()
    assert rules.tripped(case(desk=desk)) is None
    desk.state.tripped = {"cause": "3 action(s) in a row failed", "since": "noon"}
    said = rules.tripped(case(desk=desk))
    assert (said.verdict, said.reason) == (
        "refuse", "the breaker tripped at noon: 3 action(s) in a row failed. A person resets it"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (alert(), None),
        (alert(status="resolved"), "Hung has ended"),
        (alert(host=""), "Hung is about no host"),
    ],
)
def test_there_is_something_to_do(event, reason):
    said = rules.nothing_to_do(case(event))
    assert (said and said.reason) == reason


def test_an_alert_that_the_policy_does_not_know():
    assert rules.unknown(case()) is None
    assert rules.unknown(case(alert(name="Odd"))).reason == "the policy has no action for Odd"


def test_an_end_that_came_before_its_begin():
    desk = Desk()
    assert rules.ended(case(desk=desk)) is None
    desk.put(lambda state, now: ops.ask(state, alert(status="resolved"), known(), UNDER, now))
    assert rules.ended(case(desk=desk)).verdict == "refuse"
    assert rules.ended(case(alert(at=1), desk)) is None


def test_an_event_is_acted_on_once():
    desk = Desk()
    permit = working(desk)
    said = rules.acted(case(desk=desk))
    assert (said.verdict, said.retry_after) == ("wait", 60)
    desk.true = 60
    assert rules.acted(case(desk=desk)) is None
    desk.true = 59
    desk.put(lambda state, now: ops.begin(state, permit, now))
    desk.true = 89
    said = rules.acted(case(desk=desk))
    assert (said.verdict, said.numbers) == ("refuse", {"seconds": 30, "outcome": "not ended"})
    assert "restart was begun for this event 30 s ago" in said.reason


@pytest.mark.parametrize(
    ("at", "seen", "spoke"), [(0, 0, False), (30, 30, False), (31, 31, True), (0, 31, True), (-9999, 30, False)]
)
def test_events_from_the_future(at, seen, spoke):
    said = rules.ahead(case(alert(at=at, seen=seen)))
    assert bool(said) is spoke
    if spoke:
        assert (said.verdict, said.rule, said.numbers) == ("refuse", "clock", {"ahead": 31})


@pytest.mark.parametrize(
    ("at", "seen", "spoke"), [(0, 0, False), (-30, -30, False), (-31, -31, True), (-9999, -5, False)]
)
def test_events_that_nobody_has_seen_lately(at, seen, spoke):
    said = rules.stale(case(alert(at=at, seen=seen)))
    assert bool(said) is spoke
    if spoke:
        assert (said.verdict, said.rule, said.numbers) == ("refuse", "stale", {"age": 31, "most": 30})


@pytest.mark.parametrize(("at", "before"), [(-5, 75), (0, 70), (70, 0), (71, None)])
def test_events_from_before_the_last_action_on_the_host(at, before):
    desk = Desk()
    desk.true = 10
    permit = working(desk, alert(at=10))
    desk.put(lambda state, now: ops.begin(state, permit, now))
    desk.true = 70
    desk.put(lambda state, now: ops.end(state, permit, "done", "", UNDER, now))
    desk.true = 80
    said = rules.stale(case(alert(at=at, seen=80, name="Full"), desk))
    assert (said and said.numbers["before_action"]) == before
    assert rules.stale(case(alert("n2", at=at, seen=80), desk)) is None


@pytest.mark.parametrize(("skip", "at", "before"), [(True, -5, 5), (True, 0, 0), (True, 1, None), (False, -5, None)])
def test_a_backlog_is_skipped_unless_a_person_says_otherwise(skip, at, before):
    desk = Desk()
    desk.state.tripped = {"cause": "a test", "since": ""}
    desk.put(lambda state, _now: ops.reset(state, "alice", "why", skip))
    said = rules.stale(case(alert(at=at, seen=0), desk))
    assert (said and said.numbers["before_reset"]) == before
    assert desk.state.reset["wall"] == (BEGIN if skip else 0)

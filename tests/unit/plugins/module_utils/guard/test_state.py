# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered, and for how long."""

from __future__ import annotations

import json

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import desk as ops
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import state as state_module
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.chain import Head, link
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.state import HORIZON, State, forged, rebuild

from tests.replay.desk import BEGIN, Desk
from tests.unit.plugins.module_utils.guard.fleet import alert, known, policy

UNDER = policy(breaker_percent=50)


def asked(desk, host="n1", under=UNDER, **more):
    event = alert(host, more.pop("at", desk.true), seen=desk.true, **more)
    return desk.put(lambda state, now: ops.ask(state, event, known(), under, now))


def begun(desk, host="n1", **more):
    permit = str(asked(desk, host, **more)["seq"])
    desk.put(lambda state, now: ops.begin(state, permit, now))
    return permit


def ended(desk, permit, outcome="done"):
    desk.put(lambda state, now: ops.end(state, permit, outcome, "", UNDER, now))


def test_nothing_is_remembered_at_first():
    state = State()
    assert (state.paused, state.tripped, state.busy(0), state.begun(1e9, 0)) == (None, None, [], [])
    assert rebuild([]).snapshot() == state.snapshot()


def test_an_action_from_permit_to_end():
    desk = Desk()
    number = str(asked(desk)["seq"])
    t = desk.state.clock.seconds
    key = alert().key
    assert desk.state.open_permit(key, t) == number
    assert desk.state.open_permit(key, t + 60) == ""
    assert [act.host for act in desk.state.busy(t + 59)] == ["n1"]
    assert desk.state.busy(t + 60) == []
    desk.true = 10
    desk.put(lambda state, now: ops.begin(state, number, now))
    assert desk.state.busy(t + 1e9)[0].at == t + 10
    assert desk.state.acted(key, t + 10).action == "restart"
    desk.true = 70
    ended(desk, number)
    assert desk.state.busy(t + 70) == []
    assert desk.state.touched["n1"].at == t + 70
    assert desk.state.touched["n1"].wall == BEGIN + 70
    assert len(desk.state.begun(100, t + 109)) == 1
    assert desk.state.begun(100, t + 110) == []


def test_no_event_outlives_the_action_that_it_caused():
    desk = Desk()
    permit = begun(desk, at=20.0)
    assert desk.state.touched["n1"].wall == BEGIN + 20
    ended(desk, permit)
    assert desk.state.touched["n1"].wall == BEGIN + 20


def test_failures_in_a_row():
    desk = Desk()
    for outcome, count in (("failed", 1), ("lost", 2), ("done", 0), ("failed", 1)):
        ended(desk, begun(desk, f"n{len(desk.records) + 1}"), outcome)
        desk.true += 3600
        assert desk.state.failures == count


def test_what_is_over_is_forgotten_and_what_is_not_is_kept():
    desk = Desk()
    first = begun(desk, "n1")
    ended(desk, first)
    second = begun(desk, "n2")
    key = alert("n1").key
    t = desk.state.clock.seconds
    assert desk.state.event(key, t + HORIZON - 1)
    assert not desk.state.event(key, t + HORIZON)
    assert desk.state.act(first, t + HORIZON - 1)
    assert not desk.state.act(first, t + HORIZON)
    assert desk.state.act(second, t + HORIZON)
    desk.true = HORIZON
    desk.put(lambda state, _now: ops.pause(state, "alice", "why"))
    kept = desk.state.snapshot()
    assert (kept["heard"], [number for number, _act in kept["acts"]]) == ([], [second])
    assert set(kept["touched"]) == {"n1", "n2"}


def test_hosts_that_fail_together():
    desk = Desk()
    for number in range(4):
        asked(desk, f"n{number + 1}", policy(rate=0, breaker_percent=50))
        desk.true += 100
    state, t = desk.state, desk.state.clock.seconds
    assert state.fail_together("serving", 250, t) == ["n2", "n3", "n4"]
    assert state.fail_together("serving", 1000, t) == ["n1", "n2", "n3", "n4"]
    assert state.fail_together("other", 1000, t) == []
    assert [state.fails("serving", f"n{number}", 250, t) for number in (1, 2, 4, 9)] == [False, True, True, False]
    desk.state.tripped = {"cause": "a test", "since": ""}
    desk.put(lambda state, _now: ops.reset(state, "alice", "why", True))
    assert desk.state.fail_together("serving", 1000, desk.state.clock.seconds) == []


def test_the_oldest_gives_way_when_too_many_are_heard_of(monkeypatch):
    monkeypatch.setattr(state_module, "MAX_HEARD", 3)
    desk = Desk()
    for number in range(1, 6):
        asked(desk, f"n{number}", policy(rate=0, breaker_percent=50))
    assert [heard.host for heard in desk.state.heard.values()] == ["n3", "n4", "n5"]


def test_a_snapshot_is_the_state():
    desk = Desk()
    begun(desk, "n1")
    asked(desk, "n2", name="Down")
    desk.put(lambda state, _now: ops.pause(state, "alice", "why"))
    before = json.loads(json.dumps(desk.state.snapshot()))
    desk.compact()
    assert len(desk.records) == 1
    assert json.loads(json.dumps(desk.state.snapshot())) == before
    assert forged([*desk.archived, *desk.records]) == ""


def test_a_snapshot_that_says_something_else_is_found():
    desk = Desk()
    desk.put(lambda state, _now: ops.pause(state, "alice", "why"))
    state = {**desk.state.snapshot(), "paused": None}
    fake = link(Head(1, "f" * 64), "snapshot", {"state": state}, desk.now)
    assert forged([*desk.records, fake]) == "record 2 is not what the records before it come to"
    # With nothing before it, there is nothing to compare it with.
    assert forged([fake]) == ""


def test_an_event_of_a_later_version_changes_nothing_but_the_time():
    desk = Desk()
    record = link(Head(), "praised", {"by": "bob"}, desk.now)
    state = rebuild([record])
    assert {**state.snapshot(), "clock": None} == {**State().snapshot(), "clock": None}
    assert state.clock.seconds == 5000


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("decided", {}),
        ("begun", {"permit": "9", "starts_at": 0}),
        ("ended", {"permit": "1"}),
        ("snapshot", {"state": {}}),
        ("snapshot", {"state": None}),
        ("approved", {"ttl": "x", "key": "", "action": ""}),
        ("reset", {}),
    ],
)
def test_a_record_that_makes_no_sense_is_never_guessed_at(event, data):
    record = link(Head(), event, data, Desk().now)
    with pytest.raises(Unreadable, match="record 1 cannot be understood"):
        rebuild([record])

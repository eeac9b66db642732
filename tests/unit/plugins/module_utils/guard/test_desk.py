# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking, beginning, ending, and what people do."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import desk as ops

from tests.replay.desk import Desk
from tests.unit.plugins.module_utils.guard.fleet import alert, known, policy

UNDER = policy()


def ask(desk, event=None, under=UNDER, **facts):
    return desk.put(lambda state, now: ops.ask(state, event or alert(at=desk.true), known(**facts), under, now))


def begin(desk, permit):
    return desk.put(lambda state, now: ops.begin(state, str(permit), now))


def end(desk, permit, outcome="done", under=UNDER):
    return desk.put(lambda state, now: ops.end(state, str(permit), outcome, "note", under, now))


def approve(desk, host="n1", action="reboot"):
    return desk.put(lambda state, now: ops.approve(state, host, action, "alice", "looked", UNDER, now))


def trip(desk):
    desk.true += 1
    assert ask(desk, burn=99)["rule"] == "breaker"


def test_from_a_question_to_an_end():
    desk = Desk()
    said = ask(desk)
    assert (said["verdict"], said["action"], said["playbook"], said["seq"]) == ("act", "restart", "restart", 1)
    assert begin(desk, 1) == {"action": "restart", "host": "n1", "permit": "1", "seq": 2}
    assert end(desk, 1)["seq"] == 3
    assert [record.event for record in desk.records] == ["decided", "begun", "ended"]


def test_a_record_has_all_that_the_decision_was_made_of():
    desk = Desk()
    ask(desk)
    data = desk.records[0].data
    assert data["event"] == alert().to_dict()
    assert (data["view"]["pool"], data["view"]["up"], data["policy"]) == ("serving", 20, UNDER.digest)
    assert {"verdict", "rule", "reason", "numbers", "clock", "prev"} <= set(data)


def test_the_same_answer_again_is_no_news_and_another_is():
    desk, slow = Desk(), policy(patience=300)
    event = alert()
    assert "seq" in ask(desk, event, slow)
    desk.true = 20
    assert "seq" not in ask(desk, event, slow)
    assert "seq" in ask(desk, event, slow, silenced=["n1"])
    # Once it counts as a failure, it goes on to, whatever is said of it later.
    assert "seq" in ask(desk, event, slow)
    assert desk.state.fails("serving", "n1", 600, desk.state.clock.seconds)


def test_a_permit_lapses_and_is_used_once():
    desk = Desk()
    ask(desk)
    desk.true = 60
    with pytest.raises(Refused, match="no permit 1, or it has lapsed: ask again"):
        begin(desk, 1)
    with pytest.raises(Refused, match="no permit 7"):
        begin(desk, 7)
    desk = Desk()
    ask(desk)
    begin(desk, 1)
    with pytest.raises(Refused, match="was begun before"):
        begin(desk, 1)
    end(desk, 1)
    with pytest.raises(Refused, match="was begun before"):
        begin(desk, 1)


def test_a_pause_between_question_and_begin_holds():
    desk = Desk()
    ask(desk)
    desk.put(lambda state, _now: ops.pause(state, "bob", "why"))
    with pytest.raises(Refused, match="paused by bob"):
        begin(desk, 1)
    desk.put(lambda state, _now: ops.resume(state, "bob", "done"))
    assert begin(desk, 1)["host"] == "n1"


def test_so_does_a_breaker():
    desk = Desk()
    ask(desk)
    trip(desk)
    with pytest.raises(Refused, match="A person resets it"):
        begin(desk, 1)


def test_an_end_is_said_once_or_again_but_not_otherwise():
    desk = Desk()
    with pytest.raises(Refused, match="no action was begun with permit 1"):
        end(desk, 1)
    ask(desk)
    with pytest.raises(Refused, match="no action was begun"):
        end(desk, 1)
    begin(desk, 1)
    assert "seq" in end(desk, 1, "failed")
    assert "seq" not in end(desk, 1, "failed")
    with pytest.raises(Refused, match="has ended before: failed"):
        end(desk, 1, "done")


def test_the_third_failure_trips_the_breaker_at_once():
    desk = Desk()
    for number, host in enumerate(("n1", "n2", "n3")):
        desk.true += 1
        permit = ask(desk, alert(host, desk.true), policy(breaker_percent=50))["seq"]
        begin(desk, permit)
        end(desk, permit, ("failed", "lost", "failed")[number])
        assert bool(desk.state.tripped) is (number == 2)
    assert desk.state.tripped["cause"] == "3 action(s) in a row failed"


def test_nothing_is_approved_that_nobody_asked_for():
    desk = Desk()
    with pytest.raises(Refused, match="nobody has asked for reboot on n1"):
        approve(desk)
    assert ask(desk, alert(name="Down"))["verdict"] == "ask"
    with pytest.raises(Refused, match="nobody has asked for drain on n1"):
        approve(desk, action="drain")
    with pytest.raises(Refused, match="nobody has asked for reboot on n2"):
        approve(desk, host="n2")
    assert approve(desk)["ttl"] == 3600
    assert "seq" not in approve(desk)
    permit = ask(desk, alert(name="Down"))["seq"]
    begin(desk, permit)
    assert not desk.state.approvals


def test_a_hand_over_cannot_be_approved():
    desk, under = Desk(), policy(attempts=1, cooldown=0)
    permit = ask(desk, alert(name="Full"), under)["seq"]
    begin(desk, permit)
    end(desk, permit)
    desk.true = 10
    assert ask(desk, alert(name="Full", at=10), under)["verdict"] == "ask"
    with pytest.raises(Refused, match="nobody has asked"):
        approve(desk, action="")


def test_a_pause_is_said_once():
    desk = Desk()

    def pause(reason):
        return desk.put(lambda state, _now: ops.pause(state, "alice", reason))

    def resume():
        return desk.put(lambda state, _now: ops.resume(state, "bob", ""))

    assert "seq" not in resume()
    assert "seq" in pause("one")
    assert "seq" not in pause("one")
    assert "seq" in pause("two")
    assert desk.state.paused["reason"] == "two"
    assert "seq" in resume()
    assert desk.state.paused is None


def test_a_reset_begins_anew():
    desk = Desk()

    def reset():
        return desk.put(lambda state, _now: ops.reset(state, "alice", "looked", True))

    assert "seq" not in reset()
    trip(desk)
    assert "seq" in reset()
    assert (desk.state.tripped, desk.state.failures) == (None, 0)
    desk.true += 1
    assert ask(desk, burn=1)["verdict"] == "act"


def test_how_the_guard_stands():
    desk = Desk()
    begin(desk, ask(desk)["seq"])
    desk.true = 30
    ask(desk, alert("n2", name="Down"), policy(max_concurrent=9, max_concurrent_percent=50))
    said = ops.status(desk.state, desk.now)
    assert said["under_way"] == [{"permit": "1", "host": "n1", "action": "restart", "seconds": 30}]
    assert said["asked"] == [{"host": "n2", "alert": "Down", "action": "reboot"}]
    assert (said["begun_last_hour"], said["begun_last_day"], said["failures_in_a_row"]) == (1, 1, 0)
    assert (said["paused"], said["tripped"]) == (None, None)

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Out of all facts, those about one host."""

from __future__ import annotations

import json

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import desk as ops
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.case import View, ask, look, refuse, wait

from tests.replay.desk import Desk
from tests.unit.plugins.module_utils.guard.fleet import HOSTS, alert, known, policy

UNDER = policy()


def view(desk=None, host="n1", under=UNDER, **facts):
    desk = desk or Desk()
    return look(alert(host), known(**facts), desk.state, under, desk.state.clock.at(desk.now))


def test_of_a_host_that_nobody_knows_nothing_is_known():
    assert view(host="elsewhere") == View()


def test_a_pool_and_its_state():
    found = view(up=["n2", "n3"], burn=2.5, held_by="alice", silenced=["n1"])
    assert (found.pool, found.size, found.up, found.host_up, found.burn) == ("serving", len(HOSTS), 2, False, 2.5)
    assert (found.held_by, found.silenced, found.burning, found.failing) == ("alice", True, "serving", 1)
    assert [signal.source for signal in found.signals] == ["engine", "probe"]


def working(host="n2", name="Hung", ended=False):
    desk = Desk()
    permit = str(desk.put(lambda state, now: ops.ask(state, alert(host, name=name), known(), UNDER, now))["seq"])
    desk.put(lambda state, now: ops.begin(state, permit, now))
    if ended:
        desk.put(lambda state, now: ops.end(state, permit, "done", "", UNDER, now))
    return desk


def test_what_is_worked_on_counts_as_down_though_it_was_seen_up():
    assert view(working()).worked_on == 1
    assert view(working(), up=["n1", "n3"]).worked_on == 0
    assert view(working(), host="n2").worked_on == 0
    assert view(working(name="Full")).worked_on == 0


@pytest.mark.parametrize(("later", "age", "count"), [(0, 0, 1), (30, 0, 1), (31, 0, 0), (45, 20, 1), (51, 20, 0)])
def test_so_does_what_may_have_been_seen_before_its_action_ended(later, age, count):
    desk = working(ended=True)
    desk.true += later
    assert view(desk, age=age).worked_on == count


def test_who_fails_together_is_told_and_remembered():
    domains = dict.fromkeys(["n1", "n2", "n3", "n4"], "rack1")
    assert view(domains=domains).together == ()
    assert view(domains=domains, failing={"n2": 5, "n3": 599, "n4": 600, "n9": 1}).together == ("n2", "n3")
    assert view(domains=domains, failing={"n2": 5}, silenced=["n2"]).together == ()
    desk = Desk()
    desk.put(lambda state, now: ops.ask(state, alert("n3"), known(), UNDER, now))
    assert view(desk, domains=domains, failing={"n2": 5}).together == ("n2", "n3")
    assert view(desk, failing={"n2": 5}).together == ()
    # The one that was heard of, the one that was told, and the host itself.
    assert view(desk, failing={"n2": 5}).failing == 3
    assert view(desk, failing={"n2": 5}, silenced=["n2"]).failing == 2


def test_what_was_before_a_reset_does_not_fail_any_more():
    desk = Desk()
    domains = dict.fromkeys(["n1", "n2", "n3"], "rack1")
    desk.put(lambda state, now: ops.ask(state, alert("n3"), known(), UNDER, now))
    desk.state.tripped = {"cause": "a test", "since": ""}
    desk.true = 50
    desk.put(lambda state, _now: ops.reset(state, "alice", "why", True))
    desk.true = 60
    found = view(desk, domains=domains, failing={"n2": 9, "n3": 60})
    assert (found.together, found.failing) == (("n2",), 2)
    assert view(desk, domains=domains, failing={"n2": 10}).together == ()


def test_the_log_keeps_a_view():
    found = view(domains={"n1": "rack1", "n2": "rack1"}, failing={"n2": 1})
    assert View.of(json.loads(json.dumps(found.to_dict()))) == found


def test_the_shapes_of_answers():
    assert (refuse("r", "why", n=1).verdict, refuse("r", "why", n=1).numbers) == ("refuse", {"n": 1})
    assert (wait("r", "why", 0.2).retry_after, wait("r", "why").retry_after) == (1.0, 60.0)
    assert ask("r", "why", "reboot").action == "reboot"

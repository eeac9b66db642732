# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log in words."""

from __future__ import annotations

from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import desk as ops
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.explain import explain, explain_log
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.records import Record

from tests.replay.desk import Desk
from tests.unit.plugins.module_utils.guard.fleet import alert, known, policy


def story():
    desk, under = Desk(), policy()
    for event in (alert(), alert("n2", name="Down"), alert("n3", status="resolved")):
        desk.put(lambda state, now, event=event: ops.ask(state, event, known(), under, now))
    desk.put(lambda state, now: ops.begin(state, "1", now))
    desk.put(lambda state, now: ops.end(state, "1", "failed", "no answer", policy(breaker_failures=1), now))
    desk.put(lambda state, _now: ops.reset(state, "bob", "engine mended", True))
    desk.put(lambda state, _now: ops.pause(state, "bob", "night"))
    desk.put(lambda state, _now: ops.resume(state, "bob", "day"))
    desk.put(lambda state, now: ops.ask(state, alert("n2", name="Down"), known(), under, now))
    desk.true = 5
    desk.put(lambda state, now: ops.ask(state, alert("n2", 5, "Down"), known(), under, now))
    desk.put(lambda state, now: ops.approve(state, "n2", "reboot", "bob", "looked", under, now))
    return desk


def test_a_story():
    desk = story()
    at = "2026-03-02T09:00:00+00:00"
    assert explain_log(desk.records).splitlines() == [
        f"{at}  #1  allowed: restart on n1 for Hung, by rule allowed: "
        "action 1 of 3 in 3600 s; 19 of 20 hosts of serving stay up, at least 11",
        f"{at}  #2  not now: nothing on n2 for Down, by rule concurrency: "
        "1 of 1 allowed in serving: restart on n1 since 0 s",
        f"{at}  #3  refused: nothing on n3 for Hung, by rule event: Hung has ended",
        f"{at}  #4  begun: restart on n1, permit 1",
        f"{at}  #5  ended: restart on n1, failed, no answer; the breaker trips: 1 action(s) in a row failed",
        f"{at}  #6  reset by bob: engine mended; what began before is skipped",
        f"{at}  #7  paused by bob: night",
        f"{at}  #8  resumed by bob: day",
        f"{at}  #9  refused: nothing on n2 for Down, by rule stale: it began 0 s before a person reset the breaker",
        f"{at[:18]}5+00:00  #10  a person is asked: reboot on n2 for Down, by rule approval: "
        "everything else allows reboot on n2; a person has to approve it",
        f"{at[:18]}5+00:00  #11  approved: reboot on n2 by bob for 3600 s: looked",
    ]


def test_one_host():
    assert [line.split("#")[1][0] for line in explain_log(story().records, "n1").splitlines()] == ["1", "4", "5"]


def test_what_it_does_not_know_it_names():
    assert explain(Record(3, 0, "", "praised", "now", {})) == "now  #3  praised"
    assert explain(Record(3, 0, "", "decided", "now", {})) == "now  #3  decided"

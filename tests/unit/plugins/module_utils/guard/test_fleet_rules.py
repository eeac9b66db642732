# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about the fleet, each at its edge."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import desk as ops
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import fleet_rules as rules
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.case import Case, View
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.policy import read_policy

from tests.replay.desk import Desk
from tests.unit.plugins.module_utils.guard.fleet import DOCUMENT, alert, known, policy


def case(desk=None, event=None, under=None, **view):
    desk, event, under = desk or Desk(), event or alert(), under or policy()
    told = under.alerts[event.alert]
    found = View(**{"pool": "serving", "size": 20, "up": 20, "host_up": True, "failing": 1, **view})
    t = desk.state.clock.at(desk.now)
    return Case(event, desk.state, under, t, desk.now.wall, told, found, under.actions[told.actions[0]])


def permit(desk, host, under=None):
    under = under or policy()
    return str(desk.put(lambda state, now: ops.ask(state, alert(host, desk.true), known(), under, now))["seq"])


def begun(desk, host, under=None, outcome=""):
    number = permit(desk, host, under)
    desk.put(lambda state, now: ops.begin(state, number, now))
    if outcome:
        desk.put(lambda state, now: ops.end(state, number, outcome, "", under or policy(), now))


@pytest.mark.parametrize(
    ("view", "limits", "cause"),
    [
        ({"failing": 4}, {}, ""),
        ({"failing": 5}, {}, "5 of 20 hosts of serving began to fail within 600 s, more than 20 %"),
        ({"failing": 1, "size": 3}, {}, ""),
        ({"failing": 2, "size": 3}, {}, "2 of 3 hosts"),
        ({"failing": 10}, {"breaker_percent": 50}, ""),
        ({"failing": 11}, {"breaker_percent": 50}, "11 of 20"),
        ({"burn": 14.4}, {}, ""),
        (
            {"burn": 14.5, "burning": "chat"},
            {},
            "chat burns its error budget 14.5 times as fast as it may, more than 14.4",
        ),
    ],
)
def test_what_trips_the_breaker(view, limits, cause):
    said = rules.trips(case(under=policy(**limits), **view))
    assert bool(said) is bool(cause)
    if said:
        assert said.verdict == "refuse"
        assert cause in said.trips
        assert said.trips in said.reason


def test_actions_that_do_not_help_trip_it_too():
    desk = Desk()
    desk.state.failures = 2
    assert rules.trips(case(desk)) is None
    desk.state.failures = 3
    assert rules.trips(case(desk)).trips == "3 action(s) in a row failed"


def test_one_at_a_time_in_a_pool():
    desk = Desk()
    assert rules.crowded(case(desk)) is None
    number = permit(desk, "n2")
    desk.true = 20
    said = rules.crowded(case(desk))
    assert (said.verdict, said.reason) == ("wait", "1 of 1 allowed in serving: restart on n2 since 20 s")
    assert rules.crowded(case(desk, pool="other")) is None
    assert rules.crowded(case(desk, under=policy(max_concurrent=2))) is None
    assert rules.crowded(case(desk, under=policy(max_concurrent=2), size=19))
    desk.put(lambda state, now: ops.begin(state, number, now))
    desk.true = 1e6
    assert rules.crowded(case(desk))


def test_three_an_hour_in_the_whole_fleet():
    desk, wide = Desk(), policy(max_concurrent=20, max_concurrent_percent=50)
    for host in ("n2", "n3", "n4"):
        assert rules.used_up(case(desk)) is None
        begun(desk, host, wide)
        desk.true += 100
    said = rules.used_up(case(desk, pool="other"))
    assert (said.verdict, said.retry_after, said.numbers) == ("wait", 3300, {"begun": 3, "most": 3})
    desk.true = 3600
    assert rules.used_up(case(desk)) is None
    # A permit counts as long as it may be begun.
    permit(desk, "n5", wide)
    assert rules.used_up(case(desk))
    desk.true += 60
    assert rules.used_up(case(desk)) is None


def test_a_rate_of_none():
    assert rules.used_up(case(under=policy(rate=0))).retry_after == 3600


@pytest.mark.parametrize(
    ("view", "name", "left"),
    [
        ({"up": 20}, "Hung", None),
        ({"up": 12}, "Hung", None),
        ({"up": 11}, "Hung", 10),
        ({"up": 12, "worked_on": 1}, "Hung", 10),
        ({"up": 5, "host_up": False}, "Hung", None),
        ({"up": 5}, "Full", None),
        ({"up": 1, "size": 1}, "Hung", 0),
    ],
)
def test_the_floor(view, name, left):
    said = rules.below_floor(case(event=alert(name=name), **view))
    assert (said and said.numbers["left"]) == left
    if said:
        assert said.verdict == "wait"


def test_a_person_says_yes_for_a_while_and_once():
    desk, down = Desk(), alert(name="Down")
    assert rules.unapproved(case(desk)) is None
    said = rules.unapproved(case(desk, down))
    assert (said.verdict, said.action) == ("ask", "reboot")
    desk.put(lambda state, now: ops.ask(state, down, known(), policy(), now))
    desk.put(lambda state, now: ops.approve(state, "n1", "reboot", "alice", "looked", policy(), now))
    assert rules.unapproved(case(desk, down)) is None
    assert rules.unapproved(case(desk, alert("n2", name="Down")))
    assert rules.unapproved(case(desk, alert(at=1, name="Down")))
    desk.true = 3600
    assert rules.unapproved(case(desk, down))


def test_a_rehearsal_says_what_it_would_do():
    assert rules.rehearsing(case()) is None
    said = rules.rehearsing(case(under=read_policy({**DOCUMENT, "dry_run": True})))
    assert (said.verdict, said.action, said.reason) == ("refuse", "restart", "a dry run: restart on n1 would be done")

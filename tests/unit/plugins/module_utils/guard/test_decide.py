# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the rules: when several could speak, the first does."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import desk as ops
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.case import View, look
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.decide import (
    AFTER,
    APART,
    BEFORE,
    ORDER,
    decide,
    judge,
)
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.policy import read_policy

from tests.replay.desk import Desk
from tests.unit.plugins.module_utils.guard.fleet import DOCUMENT, alert, known, policy

# From the last rule to the first: each step adds a reason that is heard before those that were there already.
LATER = [
    ("allowed", {}),
    ("dry_run", {"dry_run": True}),
    ("approval", {"name": "Down"}),
    ("floor", {"up": ["n1"]}),
    ("rate", {"rate": 0}),
    ("patience", {"patience": 300}),
    ("evidence", {"signals": {}}),
    ("domain", {"domains": {"n1": "rack1", "n2": "rack1"}, "failing": {"n2": 1}}),
    ("breaker", {"burn": 99}),
    ("deploy", {"held_by": "alice"}),
    ("silence", {"silenced": ["n1"]}),
    ("facts", {"age": 99}),
    ("stale", {"seen": -99}),
    ("clock", {"at": 99}),
    ("ended", {"resolved": True}),
    ("policy", {"name": "Odd"}),
    ("event", {"status": "resolved"}),
    ("breaker", {"tripped": True}),
    ("pause", {"paused": True}),
]


def told(steps):
    """A decision with all of these against it."""
    world = {key: value for _rule, step in LATER[:steps] for key, value in step.items()}

    def pick(*keys):
        return {key: world[key] for key in keys if key in world}

    limits = {"limits": {"patience": 0, **pick("patience", "rate")}}
    event = alert("n1", **pick("name", "seen", "at", "status"))
    desk = Desk()
    if "resolved" in world:
        end = alert("n1", **{**pick("name", "at"), "status": "resolved"})
        desk.put(lambda state, now: ops.ask(state, end, known(), policy(), now))
    if "tripped" in world:
        desk.state.tripped = {"cause": "a test", "since": "noon"}
    if "paused" in world:
        desk.put(lambda state, _now: ops.pause(state, "alice", "why"))
    facts = known(**pick("up", "signals", "domains", "failing", "burn", "held_by", "silenced", "age"))
    return decide(event, desk.state, facts, read_policy({**DOCUMENT, **pick("dry_run"), **limits}), desk.now)


@pytest.mark.parametrize("steps", range(1, len(LATER) + 1))
def test_the_first_that_has_a_reason_speaks(steps):
    assert told(steps).rule == LATER[steps - 1][0]


def test_what_counts_as_a_failure_of_its_host():
    """From the breaker on; not what is stale, silenced, or somebody's own doing."""
    counted = {LATER[steps - 1][0]: told(steps).counts for steps in range(1, 10)}
    assert set(counted.values()) == {True}
    assert not any(told(steps).counts for steps in range(10, len(LATER) + 1))


def test_what_is_allowed_says_its_numbers():
    said = told(1)
    assert (said.verdict, said.action, said.numbers["left"], said.numbers["floor"]) == ("act", "restart", 19, 11)
    assert said.reason == "action 1 of 3 in 3600 s; 19 of 20 hosts of serving stay up, at least 11"


def test_the_same_again_from_what_the_log_keeps():
    desk, facts, under = Desk(), known(failing={"n2": 1}, domains={"n1": "r", "n2": "r"}), policy()
    said = decide(alert(), desk.state, facts, under, desk.now)
    view = look(alert(), facts, desk.state, under, desk.state.clock.at(desk.now))
    assert judge(alert(), desk.state, view, under, desk.now) == said
    assert said.view == view
    assert judge(alert(), desk.state, View(), under, desk.now).rule == "facts"


def test_a_decision_changes_nothing():
    desk = Desk()
    before = desk.state.snapshot()
    assert decide(alert(), desk.state, known(), policy(), desk.now).verdict == "act"
    assert desk.state.snapshot() == before


def test_the_order_is_as_documented():
    page = (Path(__file__).parents[5] / "docs" / "guard.md").read_text(encoding="utf-8")
    rows = [line.split("|")[2].strip(" `") for line in page.splitlines() if line.startswith("| ") and line[2].isdigit()]
    spoken = ["pause", "breaker", "event", "policy", "ended", "acted", "clock", "stale", "facts", "silence", "deploy"]
    spoken += [
        "breaker",
        "domain",
        "busy",
        "cooldown",
        "attempts",
        "evidence",
        "patience",
        "concurrency",
        "rate",
        "floor",
    ]
    assert rows == [*spoken, "approval", "dry_run"]
    assert len(ORDER) == len(rows) == len(BEFORE) + len(APART) + len(AFTER)

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The brakes together: whatever comes in whatever order, and whoever dies, no more is done than is allowed."""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import desk as ops
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.case import View
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.chain import broken, verify, written_at
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.decide import judge
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.event import Event
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.policy import Policy
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.state import State, forged
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.replay.desk import Desk
from tests.unit.plugins.module_utils.guard.fleet import Site, alert, known, policy

# Limits under which something happens, so that something can go wrong.
LIVELY = policy(rate=6, max_concurrent=2, cooldown=300, breaker_percent=35, min_available="60%")
KINDS = (
    *("serve",) * 6, *("hear",) * 4, *("again",) * 4, *("begin",) * 3, *("end",) * 3, *("later",) * 4, *("rush",) * 2,
    *("resume", "reset", "hit", "jump") * 2, "approve", "resolve", "pause", "restart", "reboot", "compact",
)  # fmt: skip
ACTS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 199), st.integers(0, 11)), max_size=40)


def run(acts: list[tuple[str, int, int]], without: tuple[str, ...] = (), under: Policy = LIVELY) -> Site:
    """Let it all happen. The site itself checks each action that is begun, by true time and its own book."""
    site = Site(under)
    for kind, a, b in acts:
        if kind not in without:
            getattr(site, kind)(a, b)
    return site


@settings(max_examples=100, deadline=None)
@given(ACTS)
def test_no_more_is_done_than_is_allowed(acts):
    run(acts)


@settings(max_examples=40, deadline=None)
@given(ACTS)
def test_nor_by_the_default_limits(acts):
    run(acts, under=policy())


def some(seed: int) -> list[tuple[str, int, int]]:
    dice = random.Random(seed)
    return [(dice.choice(KINDS), dice.randrange(200), dice.randrange(12)) for _event in range(150)]


@pytest.fixture(scope="module")
def busy() -> list[Site]:
    """Sites at which much happened."""
    return [run(some(seed)) for seed in range(12)]


def test_what_these_tests_look_at_does_happen(busy):
    rules = {(verdict, rule) for site in busy for verdict, rule, _action, _reason in site.said}
    assert sum(len(site.begun) for site in busy) > 60
    assert {
        "rate",
        "cooldown",
        "busy",
        "concurrency",
        "attempts",
        "approval",
        "breaker",
        "pause",
        "acted",
        "ended",
    } <= {rule for _verdict, rule in rules}
    assert {"clock", "stale", "allowed"} <= {rule for _verdict, rule in rules}


@settings(max_examples=40, deadline=None)
@given(ACTS)
def test_a_restart_changes_nothing(acts):
    assert run(acts).desk.text() == run(acts, without=("restart",)).desk.text()


@settings(max_examples=40, deadline=None)
@given(ACTS)
def test_a_snapshot_changes_no_decision(acts):
    assert run(acts).said == run(acts, without=("compact",)).said


def test_nor_where_much_happened(busy):
    for seed, site in enumerate(busy):
        assert site.said == run(some(seed), without=("compact", "restart")).said
        assert forged([*site.desk.archived, *site.desk.records]) == ""


def test_the_log_holds_and_every_decision_follows_from_it_again(busy):
    for site in busy:
        records = [*site.desk.archived, *site.desk.records]
        assert broken(records) == ""
        state = State()
        for record in records:
            if record.event == "decided":
                data: dict[str, Any] = record.data
                event = Event(**data["event"])
                view = View.of(data["view"]) if data["view"] else View()
                said = judge(event, state, view, site.policy, written_at(record))
                kept = (data["verdict"], data["rule"], data["action"], data["reason"], data["trips"], data["counts"])
                assert (said.verdict, said.rule, said.action, said.reason, said.trips, said.counts) == kept
            state.apply(record)


def test_any_single_byte_that_changes_is_found():
    site = run([("serve", 3, 0), ("pause", 0, 0)])
    text = site.desk.text().encode()
    assert verify(text.decode()) == []
    for place in range(len(text)):
        for bit in (0x01, 0x20):
            changed = bytearray(text)
            changed[place] ^= bit
            assert verify(changed.decode("utf-8", "replace")), f"byte {place} of {len(text)}"


# --- A breaker that has tripped ------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(ACTS)
def test_only_a_person_lets_a_tripped_breaker_go(acts):
    site = Site(LIVELY)
    for number in range(8):
        site.hear(number, 0)
    assert site.tripped
    asked = len(site.said)
    begun = len(site.begun)
    for kind, a, b in acts:
        if kind != "reset":
            getattr(site, kind)(a, b)
    assert site.desk.state.tripped
    assert len(site.begun) == begun
    assert "act" not in {said[0] for said in site.said[asked:]}


# --- A storm -------------------------------------------------------------------------------------------------------


def lines_run(count: int) -> int:
    """Lines of Python that are run to decide about so many hosts of one fleet, each failing, none of them the same."""
    hosts = [f"n{number}" for number in range(count)]
    facts, desk, under = known(hosts=hosts), Desk(), policy(breaker_percent=50)
    lines = 0

    def trace(_frame: Any, what: str, _value: Any) -> Any:
        nonlocal lines
        lines += what == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for host in hosts:
            desk.put(lambda state, now, host=host: ops.ask(state, alert(host), facts, under, now))
    finally:
        sys.settrace(before)
    assert len(desk.records) == count
    assert desk.state.tripped
    return lines


def test_work_for_each_alert_of_a_storm_does_not_grow_with_the_storm():
    small, large = lines_run(250), lines_run(1000)
    assert large < 4.4 * small

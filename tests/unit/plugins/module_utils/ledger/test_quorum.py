# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copies together: what a majority once had is never lost, whoever was away."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused, Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.quorum import (
    Copy,
    agreed,
    copy_from,
    majority,
    settle,
)
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.records import Record
from hypothesis import example, given, settings
from hypothesis import strategies as st

AWAY = Copy(problem="unreachable")
GOOD = {"lease": {"fence": 2, "owner": "alice", "run": "run1", "left": 7.5}, "journal": [], "torn": False}


def records(count, fence=1, first=1):
    return tuple(Record(seq, fence, "run1", "draining", "now", {}) for seq in range(first, first + count))


@pytest.mark.parametrize(("hosts", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_majority(hosts, needed):
    assert majority(range(hosts)) == needed


def test_a_good_answer_becomes_a_copy():
    lines = [record.line() for record in records(2)]
    assert copy_from({**GOOD, "journal": lines}) == Copy(records(2), 2, "alice", "run1", 7.5)


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        ({"unreachable": True, "msg": " no route "}, "no route"),
        ({"failed": True, "msg": "line 3 of the journal"}, "line 3 of the journal"),
        ({}, "gave no answer"),
        ({**GOOD, "failed": True}, "gave no answer"),
        ({**GOOD, "lease": None}, "cannot be understood"),
        ({**GOOD, "lease": {"fence": "many", "owner": "", "run": "", "left": 0}}, "cannot be understood"),
        ({**GOOD, "journal": ["rubbish"]}, "cannot be understood"),
        ({**GOOD, "journal": None}, "cannot be understood"),
        ({"lease": GOOD["lease"], "journal": []}, "cannot be understood"),
    ],
)
def test_what_is_not_understood_is_a_problem_and_never_an_empty_ledger(result, problem):
    assert problem in copy_from(result).problem


def test_one_of_three_may_be_away():
    ledger = settle({"lb1": AWAY, "lb2": Copy(records(2), fence=4), "witness": Copy(records(3), fence=3)})
    assert (ledger.records, ledger.tip, ledger.fence) == (records(3), (1, 3), 4)
    assert ledger.behind == ("lb2",)
    assert ledger.problems == {"lb1": "unreachable"}


def test_two_of_three_away_is_unreadable_and_names_them():
    with pytest.raises(Unreadable, match=r"1 of 3 ledger hosts can be read, 2 are needed \(lb1: unreachable; lb2: un"):
        settle({"lb1": AWAY, "lb2": AWAY, "witness": Copy()})


def test_of_two_both_are_needed_unless_the_missing_one_is_named():
    copies = {"lb1": Copy(records(1)), "lb2": AWAY}
    with pytest.raises(Unreadable, match="1 of 2 ledger hosts can be read, 2 are needed"):
        settle(copies)
    assert settle(copies, ["lb2"]).records == records(1)


@pytest.mark.parametrize("excluded", [[], ["lb1"]])
def test_nobody_to_ask_is_unreadable(excluded):
    with pytest.raises(Unreadable, match="there is none"):
        settle({name: Copy() for name in excluded}, excluded)


def test_a_torn_copy_and_one_with_other_records_are_behind():
    copies = {"a": Copy(records(2)), "b": Copy(records(2), torn=True), "c": Copy(records(2, fence=2))}
    ledger = settle(copies)
    assert ledger.tip == (2, 2)
    assert ledger.behind == ("a", "b")


@pytest.mark.parametrize(
    ("lefts", "owner", "left"),
    [
        ((("alice", 9.0), ("alice", 8.0), ("", 0.0)), "alice", 8.0),
        ((("alice", 9.0), ("alice", 0.0), ("bob", 5.0)), "", 0.0),
        ((("alice", 9.0), ("bob", 7.0), ("bob", 6.0)), "bob", 6.0),
        ((("", 0.0), ("", 0.0), ("", 0.0)), "", 0.0),
    ],
)
def test_held_is_what_a_majority_has_granted(lefts, owner, left):
    copies = {str(number): Copy(fence=1, owner=who, left=more) for number, (who, more) in enumerate(lefts)}
    ledger = settle(copies)
    assert (ledger.owner, ledger.left) == (owner, left)


def test_a_holder_that_raises_its_number_holds_in_between():
    ledger = settle({"a": Copy(fence=3, owner="alice", left=9.0), "b": Copy(fence=2, owner="alice", left=5.0)})
    assert (ledger.owner, ledger.fence, ledger.left) == ("alice", 3, 5.0)


LATE = {"failed": True, "msg": "the lease has passed on", "held_by": "bob", "fence": 2}


def test_a_write_that_a_majority_took_names_the_others():
    assert agreed({"a": {"left": 60}, "b": {"left": 60}, "c": LATE}) == {"c": "the lease has passed on"}
    assert agreed({"a": {"left": 60}, "b": {"unreachable": True}}, ["b"]) == {}


@pytest.mark.parametrize(
    ("results", "late"),
    [
        ({"a": {"left": 60}, "b": LATE, "c": {"unreachable": True, "msg": "no route"}}, True),
        ({"a": {"left": 60}, "b": {"failed": True}, "c": {"unreachable": True, "msg": "no route"}}, False),
        ({"a": {"failed": True, "msg": "run out", "expired": True}}, True),
    ],
)
def test_a_write_that_too_few_took_is_refused_with_everybodys_reason(results, late):
    with pytest.raises(Refused, match="ledger hosts took the record") as caught:
        agreed(results)
    assert caught.value.evidence["late"] is late
    for name, result in results.items():
        assert (f"{name}: " in caught.value.message) is bool(result.get("failed") or result.get("unreachable"))


# --- Nothing that was acknowledged is lost --------------------------------------------------------------------------


@dataclass
class Model:
    """Ledger hosts as sets of facts, and holders that follow the rules of the journal's keeper.

    A holder reads a majority, brings a majority to the newest journal under a newer number, and adds to it. When too
    few heard a record it does so again before it adds another: a number is never used twice.
    """

    hosts: int
    journals: dict[int, tuple[Record, ...]] = field(default_factory=dict)
    fences: dict[int, int] = field(default_factory=dict)
    acknowledged: list[Record] = field(default_factory=list)
    told: int = 0
    holder: int | None = None
    base: tuple[Record, ...] = ()

    def copies(self, readable):
        return {
            str(host): Copy(self.journals.get(host, ()), self.fences.get(host, 0)) if host in readable else AWAY
            for host in range(self.hosts)
        }

    def take(self, readable, reached):
        try:
            ledger = settle(self.copies(readable))
        except Unreadable:
            return
        fence, heard = ledger.fence + 1, 0
        self.holder = None
        for host in sorted(reached & readable):
            if fence > self.fences.get(host, 0):
                self.fences[host], heard = fence, heard + 1
                self.journals[host] = ledger.records
        if heard >= majority(range(self.hosts)):
            self.holder, self.base = fence, ledger.records

    def append(self, fence, base, reached):
        """Returns whether a majority took it."""
        self.told += 1
        record = Record(len(base) + 1, fence, "run", f"event {self.told}", "now", {})
        took = 0
        for host in reached:
            if self.fences.get(host) == fence and self.journals.get(host, ()) == base:
                self.journals[host] = (*base, record)
                took += 1
        if took >= majority(range(self.hosts)):
            self.acknowledged.append(record)
            return record
        return None

    def repair(self, hosts):
        """Hosts that were away get the lease and all records."""
        for host in hosts:
            if self.holder is not None and self.fences.get(host, 0) <= self.holder:
                self.fences[host], self.journals[host] = self.holder, self.base

    def check(self, readable):
        try:
            ledger = settle(self.copies(readable))
        except Unreadable:
            return
        assert set(map(Record.line, self.acknowledged)) <= set(map(Record.line, ledger.records))


def steps_of(hosts):
    some = st.sets(st.integers(0, hosts - 1))
    return st.lists(st.tuples(st.sampled_from(["take", "append", "append", "repair", "late"]), some, some), max_size=30)


@settings(max_examples=300, deadline=None)
@example(
    (2, [("take", {0, 1}, {0, 1}), ("take", set(), set()), ("late", {0, 1}, set()), ("repair", {0, 1}, set())]),
)
@given(st.sampled_from([1, 2, 3, 5]).flatmap(lambda hosts: st.tuples(st.just(hosts), steps_of(hosts))))
def test_what_a_majority_acknowledged_is_in_what_any_majority_says(story):
    hosts, steps = story
    model = Model(hosts)
    late: list[tuple[int, tuple[Record, ...]]] = []
    for act, some, others in steps:
        if act == "take":
            before = (model.holder, model.base)
            model.take(some, others)
            # Who could not read a majority took nothing, and the holder is not late.
            if before[0] is not None and before[0] != model.holder:
                late.append(before)
        elif act == "append" and model.holder is not None:
            record = model.append(model.holder, model.base, some)
            if record is None:
                # Too few heard it. The holder takes the pool anew before it says anything else.
                model.holder = None
            else:
                model.base = (*model.base, record)
        elif act == "repair":
            model.repair(some)
        elif act == "late" and late:
            # A holder that does not know yet that another has taken over.
            model.append(*late.pop(), some)
        model.check(others)
    model.check(set(range(hosts)))

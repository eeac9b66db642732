# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the journal says happened, after whatever record it ends."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.records import Record
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.state import (
    PHASES,
    Run,
    load_seconds,
    runs,
    to_revert,
    unfinished,
)
from hypothesis import given, settings
from hypothesis import strategies as st

READY = {"lb1": {"state": "ready", "weight": 100}}


def plan(count=3):
    return {
        "pool": "serving",
        "release": "r2",
        "batches": [[f"gpu{n}"] for n in range(1, count + 1)],
        "previous": {f"gpu{n}": "r1" for n in range(1, count + 1)},
    }


def journal(*events):
    """Events, each a name and its data, as the records of one run."""
    return [Record(seq, 1, "run1", name, f"at {seq}", data) for seq, (name, data) in enumerate(events, 1)]


OPENED = ("run_opened", {"owner": "alice", "plan": plan()})


def batch(index, *phases, **more):
    return [(phase, {"batch": index, **more}) for phase in phases]


def test_nothing_happened():
    assert runs([]) == []
    assert unfinished([]) is None


def test_a_run_as_it_goes():
    (run,) = runs(
        journal(
            OPENED,
            ("draining", {"batch": 0, "prior": {"gpu1": READY}}),
            *batch(0, "changing", "admitting", "baking"),
            ("verified", {"batch": 0, "spent": {"requests": 400, "errors": 1}}),
            *batch(1, "draining"),
        )
    )
    assert (run.id, run.pool, run.release, run.owner, run.opened) == ("run1", "serving", "r2", "alice", "at 1")
    assert run.open
    assert run.verified() == [0]
    assert run.forward() == [1, 2]
    assert run.backward() == []
    assert run.touched() == ["gpu1", "gpu2"]
    assert run.prior == {"gpu1": READY}
    assert run.spent == {"requests": 400, "errors": 1}


def test_what_was_found_first_is_what_undo_restores():
    (run,) = runs(
        journal(
            OPENED,
            ("draining", {"batch": 0, "prior": {"gpu1": READY}}),
            ("run_resumed", {"owner": "bob"}),
            ("draining", {"batch": 0, "prior": {"gpu1": {"lb1": {"state": "drain", "weight": 1}}}}),
        )
    )
    assert run.prior == {"gpu1": READY}
    assert run.owner == "bob"


@pytest.mark.parametrize(
    ("verdicts", "condemned"),
    [(["pass", "fail"], True), (["pass", "inconclusive"], False), ([], False)],
)
def test_a_gate_that_could_not_tell_condemns_nothing(verdicts, condemned):
    data = {"batch": 0, "reason": "x", "reverting": [0], "verdicts": [{"verdict": verdict} for verdict in verdicts]}
    (run,) = runs(journal(OPENED, *batch(0, "draining"), ("failed", data)))
    assert run.condemned is condemned


def test_a_failed_run_goes_back_newest_first_and_never_forward():
    begun = [OPENED, *batch(0, *PHASES), *batch(1, "draining", "changing")]
    failed = ("failed", {"batch": 1, "reason": "no proof", "reverting": [0, 1]})
    back = [("changing", {"batch": 1, "back": True}), ("admitting", {"batch": 1, "back": True})]
    (run,) = runs(journal(*begun, failed, *back))
    assert (run.failed, run.forward(), run.backward()) == ("no proof", [], [1, 0])
    (run,) = runs(journal(*begun, failed, *back, ("reverted", {"batch": 1})))
    assert run.backward() == [0]
    assert run.phases == {0: "verified", 1: "changing"}


@pytest.mark.parametrize("data", [{"reverting": []}, {"reason": "", "reverting": []}])
def test_a_failure_without_a_reason_is_a_failure(data):
    (run,) = runs(journal(OPENED, *batch(0, "draining"), ("failed", data)))
    assert (run.failed, run.forward(), run.backward()) == ("no reason given", [], [])


def test_quarantine_is_remembered_with_its_reason():
    (run,) = runs(journal(OPENED, ("quarantined", {"nodes": {"gpu1": "no completion"}})))
    assert run.quarantined == {"gpu1": "no completion"}


def test_an_end_ends_it():
    records = journal(OPENED, ("run_closed", {"outcome": "succeeded", "reason": ""}))
    assert runs(records)[0].outcome == "succeeded"
    assert unfinished(records) is None
    assert unfinished(journal(OPENED, ("run_closed", {}))) is None


def test_one_record_ends_the_run_before_and_takes_over_its_servers():
    """Between two records the controller may die; the servers left out of traffic must then be somebody's."""
    left = [OPENED, ("draining", {"batch": 0, "prior": {"gpu1": READY}})]
    records = [
        *journal(*left),
        Record(3, 2, "run2", "run_opened", "now", {"plan": plan(), "supersedes": "run1", "prior": {"gpu1": READY}}),
    ]
    first, second = runs(records)
    assert (first.outcome, first.reason) == ("superseded", "by run run2")
    found = unfinished(records)
    assert found == second
    assert found.touched() == ["gpu1"]
    assert found.forward() == [0, 1, 2]


def test_an_older_run_without_an_end_is_not_the_unfinished_one():
    records = [
        *journal(OPENED),
        Record(2, 2, "run2", "run_opened", "", {"plan": plan()}),
        Record(3, 2, "run2", "run_closed", "", {"outcome": "succeeded"}),
    ]
    assert unfinished(records) is None


def test_events_of_a_later_version_change_nothing():
    assert runs(journal(OPENED, ("sang", {"song": 1}))) == runs(journal(OPENED))
    assert unfinished(journal(("sang", {}))) is None


@pytest.mark.parametrize(
    ("on_failure", "back"), [("revert_batch", (1,)), ("revert_all", (0, 1)), ("stop", ()), ("unheard", (1,))]
)
def test_what_a_failure_takes_back(on_failure, back):
    assert to_revert(Run("run1", phases={0: "verified", 1: "baking"}), 1, on_failure) == back


def test_a_batch_that_was_not_begun_is_not_taken_back():
    assert to_revert(Run("run1", phases={0: "verified"}), 1, "revert_batch") == ()


def test_learned_load_times_are_those_of_the_key():
    records = journal(
        ("admitting", {"batch": 0, "load_seconds": {"gpu1|tiny a100": 4.0, "gpu2|tiny h100": 2.0}}),
        ("admitting", {"batch": 1, "load_seconds": "strange"}),
        ("admitting", {"batch": 1, "load_seconds": {"gpu3|tiny a100": 5}}),
    )
    assert load_seconds(records, "tiny a100") == [4.0, 5.0]
    assert load_seconds(records * 40, "tiny a100") == [4.0, 5.0] * 25


@st.composite
def whole_runs(draw):
    """Records of a whole run with (number of batches, how it goes): forward, failing, resumed anywhere, reverted."""
    count = draw(st.integers(1, 4))
    fails_at = draw(st.none() | st.integers(0, count - 1))
    on_failure = draw(st.sampled_from(["revert_batch", "revert_all", "stop"]))
    events = [("run_opened", {"owner": "alice", "plan": plan(count)})]
    phases: dict[int, str] = {}
    for index in range(count):
        steps = PHASES if index != fails_at else PHASES[: draw(st.integers(1, 4))]
        for number, phase in enumerate(steps):
            prior = {f"gpu{index + 1}": READY} if phase == "draining" else {}
            events.append((phase, {"batch": index, "prior": prior}))
            phases[index] = phase
            if draw(st.integers(0, 5)) == 0:
                # The controller died here; another goes on with the batch from its begin.
                events.append(("run_resumed", {"owner": "bob"}))
                events += [(again, {"batch": index}) for again in steps[: number + 1] if phase != "verified"]
        if index == fails_at:
            break
    outcome = "succeeded"
    if fails_at is not None:
        back = to_revert(Run("run1", phases=phases), fails_at, on_failure)
        events.append(("failed", {"batch": fails_at, "reason": "a gate", "reverting": list(back)}))
        for index in sorted(back, reverse=True):
            events += [("changing", {"batch": index, "back": True}), ("admitting", {"batch": index, "back": True})]
            events.append(("reverted", {"batch": index}))
            if draw(st.booleans()):
                events.append(("run_resumed", {"owner": "carol"}))
        outcome = "reverted" if back else "stopped"
    events.append(("run_closed", {"outcome": outcome}))
    return count, journal(*events)


@settings(max_examples=150, deadline=None)
@given(whole_runs())
def test_after_any_record_it_is_known_what_is_left_to_do(story):
    count, records = story
    for end in range(1, len(records) + 1):
        prefix = records[:end]
        run = runs(prefix)[0]
        events = [record.event for record in prefix]
        drained = {record.data["batch"] for record in prefix if record.event == "draining"}
        assert set(run.touched()) == {f"gpu{index + 1}" for index in drained}
        assert set(run.prior) == set(run.touched())
        if "failed" not in events:
            assert sorted([*run.forward(), *run.verified()]) == list(range(count))
            assert run.backward() == []
        else:
            failed = next(record for record in prefix if record.event == "failed")
            done = {record.data["batch"] for record in prefix if record.event == "reverted"}
            assert run.forward() == []
            assert set(run.backward()) == set(failed.data["reverting"]) - done
            assert run.backward() == sorted(run.backward(), reverse=True)
        assert (unfinished(prefix) is None) is (events[-1] == "run_closed")

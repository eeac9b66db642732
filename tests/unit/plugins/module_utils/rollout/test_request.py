# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was asked for against what the journal says: start, go on, take back, or a reason why not."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.quorum import Ledger
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.records import Record
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.plan import BalancerView, Node
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.request import Request, answer

IDENTITIES = {"r1": "tiny@r1-aaa", "r2": "tiny@r2-bbb"}
READY = {"lb1": {"state": "ready", "weight": 100}}


def nodes(*releases):
    return [Node(f"gpu{n}", release, identities=IDENTITIES) for n, release in enumerate(releases, 1)]


def views(*out):
    servers = {f"gpu{n}": ("drain", False) if f"gpu{n}" in out else ("ready", True) for n in (1, 2, 3)}
    return [BalancerView("lb1", servers, holder=True), BalancerView("lb2", servers)]


def ledger(*records, owner="", left=0.0):
    return Ledger(tuple(records), fence=1, owner=owner, run="run0", left=left, behind=())


def asked(mode="start", release="r2", **policy):
    return Request(mode, "serving", release, policy)


def journal(*events, run="run1", first=1):
    return [Record(seq, 1, run, name, "now", data) for seq, (name, data) in enumerate(events, first)]


def opened(run="run1", release="r2", previous="r1", first=1, batches=(("gpu1",), ("gpu2",), ("gpu3",))):
    """A run as far as its journal was opened, with the plan that the journal keeps."""
    plan = {
        "pool": "serving",
        "release": release,
        "batches": [list(batch) for batch in batches],
        "previous": {name: previous for batch in batches for name in batch},
        "servers": ["gpu1", "gpu2", "gpu3"],
        "identities": {name: IDENTITIES[release] for batch in batches for name in batch},
        "min_available": 2,
    }
    return journal(("run_opened", {"owner": "alice", "plan": plan}), run=run, first=first)


def begun(*phases, **more):
    return [*opened(**more), *journal(*phases, first=2)]


DRAINED = begun(("draining", {"batch": 0, "prior": {"gpu1": READY}, "spent": {"requests": 7}}))


def test_a_start_goes_through_the_whole_plan():
    found = answer(asked(), nodes("r1", "r1", "r1"), views(), ledger())
    assert (found.forward, found.backward, found.run, found.supersedes, found.tip) == ((0, 1, 2), (), "", "", (0, 0))
    assert found.plan["batches"] == (("gpu1",), ("gpu2",), ("gpu3",))
    assert found.policy["min_available"] == 2
    json.dumps(asdict(found))


def test_nothing_to_do_is_an_answer():
    found = answer(asked(), nodes("r2", "r2", "r2"), views(), ledger())
    assert found.forward == ()
    assert "nothing to do" in found.text


@pytest.mark.parametrize("mode", ["start", "resume", "rollback"])
def test_while_another_holds_the_pool_it_is_said_who_and_how_long(mode):
    held = ledger(*DRAINED, owner="bob@ops2", left=41.7)
    with pytest.raises(Refused, match=r"held by bob@ops2 \(run run0\) for 42 s more. Nothing was changed") as caught:
        answer(asked(mode), nodes("r1", "r1", "r1"), views(), held)
    assert caught.value.evidence == {"held_by": "bob@ops2", "left": 41.7}


def test_a_start_over_an_unfinished_run_says_both_ways_out():
    with pytest.raises(Refused, match=r"run run1 .* left unfinished by alice: -e action=resume .*rollback.yml"):
        answer(asked(), nodes("r1", "r1", "r1"), views("gpu1"), ledger(*DRAINED))


def test_taking_drained_servers_along_supersedes_the_unfinished_run():
    found = answer(asked(admit_drained=True), nodes("r1", "r1", "r1"), views("gpu1"), ledger(*DRAINED))
    assert (found.supersedes, found.prior, found.run) == ("run1", {"gpu1": READY}, "")


# --- Going on -------------------------------------------------------------------------------------------------------


def test_a_resumed_run_goes_on_under_its_own_plan():
    found = answer(asked("resume", "", bake_time=5), nodes("r2", "r1", "r1"), views("gpu1"), ledger(*DRAINED))
    assert (found.run, found.forward, found.backward, found.tip) == ("run1", (0, 1, 2), (), (1, 2))
    assert (found.prior, found.spent) == ({"gpu1": READY}, {"requests": 7})
    assert (found.policy["bake_time"], found.policy["min_available"]) == (5, 2)
    assert "resumed: run run1 of alice" in found.text


def test_a_verified_batch_is_not_done_again():
    records = begun(*((phase, {"batch": 0}) for phase in ("draining", "verified")))
    assert answer(asked("resume"), nodes("r2", "r1", "r1"), views(), ledger(*records)).forward == (1, 2)


def test_a_run_that_had_turned_back_goes_on_going_back():
    records = begun(
        ("draining", {"batch": 0}),
        ("draining", {"batch": 1}),
        ("failed", {"batch": 1, "reason": "too many errors", "reverting": [0, 1]}),
        ("reverted", {"batch": 1}),
    )
    found = answer(asked("resume"), nodes("r2", "r1", "r1"), views(), ledger(*records))
    assert (found.forward, found.backward, found.reason) == ((), (0,), "too many errors")
    assert "take back batch 1: gpu1" in found.text


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([], "no run of pool serving is unfinished: there never was one"),
        ([*opened(), *journal(("run_closed", {"outcome": "reverted"}), first=2)], "the last one, run1, reverted"),
    ],
)
def test_there_is_nothing_to_go_on_with(records, reason):
    with pytest.raises(Refused, match=f"{reason}.*Nothing was changed"):
        answer(asked("resume"), nodes("r1", "r1", "r1"), views(), ledger(*records))


def test_a_resumed_run_must_be_what_it_was():
    three = nodes("r1", "r1", "r1")
    with pytest.raises(Refused, match="goes to r2, not to r1"):
        answer(asked("resume", "r1"), three, views(), ledger(*DRAINED))
    with pytest.raises(Refused, match="began with gpu3, which the inventory lacks now"):
        answer(asked("resume"), three[:2], views(), ledger(*DRAINED))
    other = [replace(three[0], identities={**IDENTITIES, "r2": "tiny@r2-ccc"}), *three[1:]]
    with pytest.raises(Refused, match=r"release r2 is not what it was when run run1 began \(on gpu1\): rollback.yml"):
        answer(asked("resume"), other, views(), ledger(*DRAINED))


# --- Going back -----------------------------------------------------------------------------------------------------

SUCCEEDED = [*begun(("draining", {"batch": 0})), *journal(("run_closed", {"outcome": "succeeded"}), first=3)]


def test_back_is_where_the_last_run_came_from():
    found = answer(asked("rollback", ""), nodes("r2", "r2", "r2"), views(), ledger(*SUCCEEDED))
    assert found.plan["release"] == "r1"
    assert found.forward == (0, 1, 2)


def test_a_release_that_is_named_is_taken_at_its_word():
    found = answer(asked("rollback", "r1"), nodes("r2", "r2", "r2"), views(), ledger())
    assert found.plan["release"] == "r1"


def test_back_from_an_unfinished_run_takes_its_servers_along():
    found = answer(asked("rollback", ""), nodes("r2", "r1", "r1"), views("gpu1"), ledger(*DRAINED))
    assert (found.plan["release"], found.supersedes) == ("r1", "run1")
    assert found.plan["batches"][0] == ("gpu1",)
    assert found.prior == {"gpu1": READY}


def test_servers_that_another_left_drained_are_not_taken_along():
    with pytest.raises(Refused, match="gpu3 was found in drain"):
        answer(asked("rollback", ""), nodes("r2", "r1", "r1"), views("gpu1", "gpu3"), ledger(*DRAINED))


def test_a_run_that_took_itself_back_moved_nothing():
    reverted = [
        *opened(run="run2", release="r1", previous="r9", first=4),
        *journal(("draining", {"batch": 0}), ("run_closed", {"outcome": "reverted"}), run="run2", first=5),
    ]
    found = answer(asked("rollback", ""), nodes("r2", "r2", "r2"), views(), ledger(*SUCCEEDED, *reverted))
    assert found.plan["release"] == "r1"


def test_a_run_that_was_only_opened_is_rolled_back_to_where_it_began():
    later = opened(run="run2", release="r1", previous="r2", first=9)
    found = answer(asked("rollback", ""), nodes("r2", "r2", "r2"), views(), ledger(*SUCCEEDED, *later))
    assert (found.plan["release"], found.forward, found.supersedes) == ("r2", (), "run2")


def test_what_was_before_must_be_known_and_one():
    with pytest.raises(Refused, match="is not in its journal: say -e release=NAME"):
        answer(asked("rollback", ""), nodes("r2", "r2", "r2"), views(), ledger())
    mixed = begun(("draining", {"batch": 0}))
    mixed[0].data["plan"]["previous"]["gpu2"] = "r0"
    with pytest.raises(Refused, match="is not one but r0, r1: say -e release=NAME"):
        answer(asked("rollback", ""), nodes("r2", "r2", "r2"), views(), ledger(*mixed))

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The balancer's timer at work: a real ledger on disk, a balancer and an engine that are played."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.haproxy.records import Server
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger import store as store_module
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.lease import Moment
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.records import Record
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.store import Store
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout import deadman_service
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.deadman_service import DeadMan

READY = Server(
    backend="serving", name="gpu1", address="192.0.2.1:8000", admin=0, weight=100, initial_weight=100, status="UP",
    check_status="L7OK", check_health=4, check_rise=2, check_fall=3, sessions=0, queue=0, last_change=9, check_downs=0,
    total=0, responses_5xx=0, connect_errors=0, response_errors=0,
)  # fmt: skip
BITS = {"ready": 0, "maint": 1, "drain": 8}
PRIOR = {"gpu1": {"lb1": {"state": "ready", "weight": 80}}}
PLAN = {
    "pool": "serving",
    "release": "r2",
    "balancers": ["lb2", "lb1"],
    "batches": [["gpu1"]],
    "questions": {"gpu1": {"r1": {"model": "tiny", "identity": "tiny@r1"}, "r2": {"model": "tiny"}}},
}


class Playing:
    """A balancer that does what it is told, unless it is broken. Checks pass as soon as they run."""

    def __init__(self):
        self.servers = {("serving", "gpu1"): replace(READY, admin=1, status="MAINT"), ("other", "gpu1"): READY}
        self.done = []
        self.broken = False

    def current(self):
        if self.broken:
            raise Unreadable("the socket is gone")
        return dict(self.servers)

    def apply(self, wanted):
        self.done.append((wanted.servers, wanted.state, wanted.weight))
        for name in wanted.servers:
            key = (wanted.backend, name)
            self.servers[key] = replace(self.servers[key], admin=BITS[wanted.state])


@pytest.fixture
def clock(monkeypatch):
    uptime = [1000.0]
    for module in (store_module, deadman_service):
        monkeypatch.setattr(module, "now", lambda: Moment(uptime[0], "boot"))
    return uptime


@pytest.fixture
def proofs(monkeypatch):
    """What was asked of engines; put exceptions into `wrong` to have a release refuse its proof."""

    class Proofs:
        def __init__(self):
            self.asked, self.wrong = [], {}

    found = Proofs()

    def prove(engine, question, deadline):
        found.asked.append((engine.url, question.identity, deadline))
        if question.identity in found.wrong:
            raise found.wrong[question.identity]

    monkeypatch.setattr(deadman_service, "prove", prove)
    return found


@pytest.fixture
def store(tmp_path, clock):
    """A ledger whose holder drained gpu1 and is gone."""
    found = Store(str(tmp_path), "serving")
    found.take("alice", "run1", 1, 60, None)
    events = [("run_opened", {"owner": "alice", "plan": PLAN}), ("draining", {"batch": 0, "prior": PRIOR})]
    lines = [Record(seq, 1, "run1", name, "now", data).line() for seq, (name, data) in enumerate(events, 1)]
    found.append("alice", 1, 60, lines)
    return found


@pytest.fixture
def watch(store):
    balancer = Playing()
    return DeadMan(store, balancer, "lb1", "serving", 120.0), balancer


def test_nothing_is_touched_while_the_lease_lasts(watch, clock, proofs):
    deadman, balancer = watch
    clock[0] += 59
    assert deadman.tick() == []
    assert balancer.done == proofs.asked == []


def test_back_by_probation_and_proof_with_the_weight_from_before(watch, clock, proofs):
    deadman, balancer = watch
    clock[0] += 60
    assert deadman.tick() == ["gpu1 is on probation: the lease of run run1 has run out"]
    assert deadman.tick() == ["gpu1 is back in traffic: the lease of run run1 has run out"]
    assert balancer.done == [(("gpu1",), "drain", None), (("gpu1",), "ready", 80)]
    assert proofs.asked == [("http://192.0.2.1:8000", "tiny@r1", 0)]
    assert deadman.tick() == []


def test_either_release_of_the_run_may_be_the_one_that_answers(watch, clock, proofs):
    deadman, balancer = watch
    proofs.wrong["tiny@r1"] = Unreadable("identity: another release")
    clock[0] += 60
    assert deadman.tick() + deadman.tick()
    assert balancer.done[-1] == (("gpu1",), "ready", 80)


def test_what_does_not_get_well_is_quarantined_with_its_reason_and_stays_there(watch, clock, proofs):
    deadman, balancer = watch
    for identity in ("tiny@r1", None):
        proofs.wrong[identity] = Unreadable("completion: HTTP 500")
    clock[0] += 60
    deadman.tick()
    assert deadman.tick() == []
    clock[0] += 121
    assert deadman.tick() == ["gpu1 is quarantined: not healthy after 121 s: completion: HTTP 500"]
    assert balancer.done[-1] == (("gpu1",), "maint", None)
    clock[0] += 1000
    proofs.wrong.clear()
    assert deadman.tick() == []


@pytest.mark.parametrize("questions", [{}, {"gpu1": {}}, {"gpu1": {"r1": {"strange": 1}}}])
def test_without_a_question_there_is_no_proof(watch, store, clock, proofs, questions):
    deadman, balancer = watch
    plan = {**PLAN, "questions": questions}
    store.append("alice", 1, 60, [Record(3, 1, "run1", "run_opened", "", {"plan": plan, "prior": PRIOR}).line()])
    clock[0] += 60
    for _turn in range(3):
        deadman.tick()
    assert [state for _names, state, _weight in balancer.done] == ["drain"]
    clock[0] += 121
    assert "the journal" in deadman.tick()[0]


def test_a_controller_that_comes_back_in_between_is_not_worked_against(watch, store, clock, proofs, monkeypatch):
    deadman, balancer = watch
    clock[0] += 60
    deadman.tick()

    def taken(*_arguments):
        store.take("bob", "run1", 2, 60, None)

    monkeypatch.setattr(deadman_service, "prove", taken)
    with pytest.raises(Unreadable, match="another controller has taken the pool"):
        deadman.tick()
    assert balancer.done == [(("gpu1",), "drain", None)]


def test_a_run_that_ended_is_left_alone(watch, store, clock, proofs):
    deadman, balancer = watch
    store.append("alice", 1, 60, [Record(3, 1, "run1", "run_closed", "", {"outcome": "stopped"}).line()])
    clock[0] += 60
    assert deadman.tick() == []
    assert balancer.done == []


def test_an_operator_who_takes_it_out_afterwards_is_not_worked_against(watch, clock, proofs):
    deadman, balancer = watch
    clock[0] += 60
    assert deadman.tick() + deadman.tick()
    balancer.servers[("serving", "gpu1")] = replace(READY, admin=1)
    clock[0] += 600
    assert deadman.tick() == []


def test_the_same_run_resumed_and_abandoned_again_is_watched_anew(watch, store, clock, proofs):
    deadman, balancer = watch
    clock[0] += 60
    assert deadman.tick() + deadman.tick()
    store.take("bob", "run1", 2, 60, None)
    balancer.servers[("serving", "gpu1")] = replace(READY, admin=1)
    clock[0] += 600
    assert deadman.tick() == ["gpu1 is on probation: the lease of run run1 has run out"]


@pytest.mark.parametrize("content", ["", "[]", '{"run": "other", "servers": {}}', '{"run": "run1 under 1"}'])
def test_marks_that_cannot_be_read_are_begun_anew(watch, store, clock, proofs, tmp_path, content):
    deadman, _balancer = watch
    store.replace("deadman.json", content)
    clock[0] += 60
    assert deadman.tick() == ["gpu1 is on probation: the lease of run run1 has run out"]
    assert json.loads((tmp_path / "serving" / "deadman.json").read_text())["servers"]["gpu1"]["state"] == "probation"


# --- A balancer that was away when a server was drained -------------------------------------------------------------


def changing(store, *more):
    events = [("changing", {"batch": 0}), *more]
    store.append(
        "alice", 1, 60, [Record(n, 1, "run1", name, "", data).line() for n, (name, data) in enumerate(events, 3)]
    )


@pytest.fixture
def returned(watch, store):
    """A balancer that has come back while the server is changed, and would give it requests."""
    deadman, balancer = watch
    balancer.servers[("serving", "gpu1")] = READY
    changing(store)
    return deadman, balancer


def test_what_is_in_change_is_held_out_of_traffic(returned, proofs):
    deadman, balancer = returned
    assert deadman.tick() == ["gpu1 is held out of traffic: run run1 changes it"]
    assert balancer.done == [(("gpu1",), "drain", None)]
    assert deadman.tick() == proofs.asked == []


def test_what_was_held_comes_back_by_probation_and_proof_when_its_change_is_over(returned, store, proofs):
    deadman, balancer = returned
    deadman.tick()
    store.append("alice", 1, 60, [Record(4, 1, "run1", "admitting", "", {"batch": 0}).line()])
    proofs.wrong.update(dict.fromkeys(("tiny@r1", None), Unreadable("not yet")))
    assert [deadman.tick() for _turn in range(3)] == [[], [], []]
    proofs.wrong.clear()
    assert deadman.tick() == ["gpu1 is held no more"]
    assert [state for _names, state, _weight in balancer.done] == ["drain", "ready"]


def test_what_was_held_is_left_to_whoever_put_it_aside_since(returned, store, proofs):
    deadman, balancer = returned
    deadman.tick()
    balancer.servers[("serving", "gpu1")] = replace(READY, admin=1)
    store.append("alice", 1, 60, [Record(4, 1, "run1", "admitting", "", {"batch": 0}).line()])
    assert deadman.tick() == ["gpu1 is held no more"]
    assert proofs.asked == deadman.tick() == []


def test_what_was_held_comes_back_after_the_run_has_ended_too(returned, store, proofs):
    deadman, balancer = returned
    deadman.tick()
    ending = [("baking", {"batch": 0}), ("verified", {"batch": 0}), ("run_closed", {"outcome": "succeeded"})]
    lines = [Record(n, 1, "run1", name, "", data).line() for n, (name, data) in enumerate(ending, 4)]
    store.append("alice", 1, 60, lines)
    store.release("alice", 1)
    assert deadman.tick() == ["gpu1 is held no more"]
    assert balancer.servers[("serving", "gpu1")].admin_state == "ready"
    assert deadman.tick() == []


@pytest.mark.parametrize("phase", ["draining", "admitting", "baking", "verified"])
def test_in_other_phases_the_controller_has_its_way(returned, store, phase):
    deadman, balancer = returned
    store.append("alice", 1, 60, [Record(4, 1, "run1", phase, "", {"batch": 0}).line()])
    assert deadman.tick() == balancer.done == []


def test_what_is_drained_is_held_where_the_run_knows_nothing_of_the_balancer(store, watch, monkeypatch):
    _deadman, balancer = watch
    balancer.servers[("serving", "gpu1")] = READY
    elsewhere = DeadMan(store, balancer, "lb9", "serving", 30)
    assert elsewhere.tick() == ["gpu1 is held out of traffic: run run1 changes it"]


def test_on_the_way_back_it_is_held_as_well(returned, store, proofs):
    deadman, _balancer = returned
    back = [("failed", {"reason": "slow", "reverting": [0]}), ("changing", {"batch": 0, "back": True})]
    store.append(
        "alice", 1, 60, [Record(n, 1, "run1", name, "", data).line() for n, (name, data) in enumerate(back, 4)]
    )
    assert deadman.tick() == ["gpu1 is held out of traffic: run run1 changes it"]
    store.append("alice", 1, 60, [Record(6, 1, "run1", "reverted", "", {"batch": 0}).line()])
    assert deadman.tick() == ["gpu1 is held no more"]


def test_the_controller_that_dies_meanwhile_leaves_it_to_the_dead_man(returned, clock, proofs):
    deadman, _balancer = returned
    deadman.tick()
    clock[0] += 60
    assert deadman.tick() == ["gpu1 is back in traffic: the lease of run run1 has run out"]


# --- Engines that ask for a key ---------------------------------------------------------------------------------------


def test_the_proof_is_asked_with_the_pools_key(store, watch, proofs, monkeypatch):
    _deadman, balancer = watch
    given = []
    monkeypatch.setattr(
        deadman_service, "Engine", lambda url, timeout, key: given.append(key) or SimpleNamespace(url=url)
    )
    balancer.servers[("serving", "gpu1")] = READY
    changing(store)
    deadman = DeadMan(store, balancer, "lb1", "serving", 30, "secret")
    deadman.tick()
    store.append("alice", 1, 60, [Record(4, 1, "run1", "admitting", "", {"batch": 0}).line()])
    assert deadman.tick() == ["gpu1 is held no more"]
    assert given == ["secret"]

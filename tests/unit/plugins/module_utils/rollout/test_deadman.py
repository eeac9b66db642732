# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a balancer does with servers that a dead controller left out of traffic."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.haproxy.records import Server
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.deadman import Move, moves
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.state import Run
from hypothesis import given, settings
from hypothesis import strategies as st

READY = Server(
    backend="serving", name="gpu1", address="192.0.2.1:8000", admin=0, weight=100, initial_weight=100, status="UP",
    check_status="L7OK", check_health=4, check_rise=2, check_fall=3, sessions=0, queue=0, last_change=9, check_downs=0,
    total=0, responses_5xx=0, connect_errors=0, response_errors=0,
)  # fmt: skip
DRAIN = replace(READY, admin=8, status="DRAIN")
SICK = replace(DRAIN, check_status="L4CON", check_health=0)
MAINT = replace(READY, admin=1, status="MAINT", check_status="", check_health=0)
NOW = 1000.0


def run(prior="ready", weight=80, **more):
    found = {"gpu1": {"lb1": {"state": prior, "weight": weight}}}
    return Run("run1", plan={"batches": [["gpu1"], ["gpu2"]]}, phases={0: "changing"}, prior=found, **more)


def decided(server, marks=None, at=NOW, of=None):
    return moves(of or run(), "lb1", {"gpu1": server, "gpu2": DRAIN}, marks or {}, at, patience=120.0)


def mark(state="probation", since=NOW, why=""):
    return {"gpu1": {"state": state, "since": since, "why": why}}


@pytest.mark.parametrize(
    ("server", "marks", "act"),
    [
        (READY, {}, None),
        (MAINT, {}, "probation"),
        (DRAIN, {}, "prove"),
        (SICK, {}, "probation"),
        (DRAIN, mark(), "prove"),
        (DRAIN, mark(since=NOW - 120), "prove"),
        (DRAIN, mark(since=NOW - 121), "quarantine"),
        (SICK, mark(since=NOW - 121), "quarantine"),
        (MAINT, mark("quarantined", since=NOW - 500), None),
        (MAINT, mark("returned", since=NOW - 500), None),
        (READY, mark(since=NOW - 500), None),
    ],
)
def test_probation_then_proof_then_traffic_or_quarantine(server, marks, act):
    """A server that was returned once is the operators' again: who takes it out afterwards has a reason."""
    assert [move.act for move in decided(server, marks)] == ([act] if act else [])


def test_a_move_carries_the_weight_from_before_and_the_reason():
    assert decided(DRAIN) == [Move("gpu1", "prove", "the lease of run run1 has run out", 80)]
    (gone,) = decided(DRAIN, mark(since=0, why="no completion"))
    assert gone.why == "not healthy after 1000 s: no completion"
    (gone,) = decided(replace(SICK, check_status="L4CON"), mark(since=0))
    assert gone.why == "not healthy after 1000 s: its checks do not pass (L4CON)"


def test_only_what_the_run_took_out_of_traffic_here_comes_back():
    assert [move.server for move in decided(MAINT)] == ["gpu1"]
    assert decided(MAINT, of=run(prior="maint")) == []
    assert decided(MAINT, of=run(prior="drain")) == []
    assert decided(MAINT, of=run(quarantined={"gpu1": "no completion"})) == []
    assert moves(run(), "lb1", {}, {}, NOW, 120.0) == []


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([READY, DRAIN, SICK, MAINT]),
    st.sampled_from(["ready", "drain", "maint"]),
    st.none() | st.tuples(st.sampled_from(["probation", "returned", "quarantined"]), st.floats(0, 2000)),
)
def test_never_into_traffic_without_checks_and_never_what_was_out_before(server, prior, marked):
    for move in decided(server, mark(*marked) if marked else {}, of=run(prior=prior)):
        assert prior == "ready"
        assert move.act != "prove" or (server.checks_pass and server.admin_state == "drain")

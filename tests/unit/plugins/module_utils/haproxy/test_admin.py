# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told to HAProxy, and when its answers amount to drained or healthy."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused
from ansible_collections.steadfast.ai_platform.plugins.module_utils.haproxy.admin import (
    DrainWatch,
    Traffic,
    Wanted,
    healthy,
    remaining,
    traffic,
)
from ansible_collections.steadfast.ai_platform.plugins.module_utils.haproxy.records import Server, Worker
from hypothesis import given
from hypothesis import strategies as st

READY = Server(
    backend="serving",
    name="gpu1",
    address="192.0.2.1:8000",
    admin=0,
    weight=100,
    initial_weight=100,
    status="UP",
    check_status="L7OK",
    check_health=4,
    check_rise=2,
    check_fall=3,
    sessions=0,
    queue=0,
    last_change=9,
    check_downs=0,
    total=0,
    responses_5xx=0,
    connect_errors=0,
    response_errors=0,
)
DRAIN = replace(READY, admin=8, status="DRAIN")
MAINT = replace(READY, admin=1, status="MAINT", check_status="", check_health=0)
NEW, OLD = Worker(20, True), Worker(10, False)


def view(*servers: Server):
    return {("serving", server.name): server for server in servers}


@pytest.mark.parametrize(
    ("found", "wanted", "current", "commands"),
    [
        (READY, {"state": "drain"}, True, ["set server serving/gpu1 state drain"]),
        (DRAIN, {"state": "drain"}, True, []),
        (
            MAINT,
            {"state": "ready", "weight": 50},
            True,
            ["set server serving/gpu1 weight 50", "set server serving/gpu1 state ready"],
        ),
        (READY, {"state": "ready", "weight": 100}, True, []),
        (READY, {"state": "drain", "weight": 50}, False, ["steadfast drain serving gpu1"]),
        (replace(READY, name="gpu9"), {"state": "drain"}, True, []),
    ],
)
def test_commands(found, wanted, current, commands):
    assert Wanted("serving", ("gpu1",), **wanted).commands(view(found), current) == commands


SPEAKS, HUSHED = 0x02 | 0x04 | 0x10, 0x02 | 0x10
SHARE = "set server serving/gpu1 weight {0}"


@pytest.mark.parametrize(
    ("found", "weight", "commands"),
    [
        pytest.param({"agent": SPEAKS, "weight": 35}, 100, [], id="its whole weight: the agent takes a share of it"),
        pytest.param(
            {"agent": SPEAKS, "weight": 35}, 25, ["disable agent serving/gpu1", SHARE.format(25)], id="a ramp"
        ),
        pytest.param({"agent": SPEAKS, "weight": 25}, 25, ["disable agent serving/gpu1"], id="a ramp at the agent's"),
        pytest.param({"agent": HUSHED, "weight": 25}, 25, [], id="a ramp that stands"),
        pytest.param({"agent": HUSHED, "weight": 25}, 50, [SHARE.format(50)], id="a ramp that goes on"),
        pytest.param(
            {"agent": HUSHED, "weight": 50}, 100, [SHARE.format(100), "enable agent serving/gpu1"], id="the end of it"
        ),
        pytest.param({"agent": 0, "weight": 35}, 100, [SHARE.format(100)], id="no agent"),
    ],
)
def test_a_load_agent_is_silent_while_a_ramp_sets_the_weight(found, weight, commands):
    assert Wanted("serving", ("gpu1",), weight=weight).commands(view(replace(READY, **found))) == commands
    # Carried out, it is what was wanted.
    after = replace(READY, weight=weight, agent=SPEAKS if found["agent"] and weight == 100 else found["agent"] & ~0x04)
    assert Wanted("serving", ("gpu1",), weight=weight).commands(view(after)) == []


def test_the_share_that_an_agent_takes_is_nobodys_intent():
    assert replace(READY, agent=SPEAKS, weight=35).own_weight == 100
    assert replace(READY, agent=HUSHED, weight=35).own_weight == 35
    assert replace(READY, weight=35).own_weight == 35


@pytest.mark.parametrize(
    ("found", "state", "wait", "steps"),
    [
        (READY, "maint", "drained", [("drain", "drained"), ("maint", "none")]),
        (MAINT, "maint", "drained", [("maint", "drained")]),
        (MAINT, "ready", "healthy", [("drain", "healthy"), ("ready", "healthy")]),
        (DRAIN, "ready", "healthy", [("drain", "healthy"), ("ready", "healthy")]),
        (READY, "ready", "healthy", [("ready", "healthy")]),
        (READY, "drain", "none", [("drain", "none")]),
    ],
)
def test_maintenance_by_way_of_drain_and_return_by_way_of_probation(found, state, wait, steps):
    planned = Wanted("serving", ("gpu1",), state).steps(view(found), wait)
    assert [(step.state, then) for step, then in planned] == steps


@pytest.mark.parametrize(
    ("backend", "servers", "message"),
    [
        ("elsewhere", ("gpu1",), "no backend 'elsewhere'.*serving"),
        ("serving", ("gpu7",), "no server gpu7; it has gpu1"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(backend, servers, message):
    with pytest.raises(Refused, match=message):
        Wanted(backend, servers, "drain").check(view(READY))


def test_traffic_sums_over_workers_and_sees_one_that_still_takes_requests():
    wanted = Wanted("serving", ("gpu1",), "drain")
    views = {NEW: view(DRAIN), OLD: view(replace(DRAIN, sessions=3, queue=1))}
    assert traffic(wanted, views) == Traffic(workers=(10, 20), sessions=3, queue=1, refusing=True)
    views[OLD] = view(READY)
    assert not traffic(wanted, views).refusing


def sample(workers=(20,), sessions=0, queue=0, refusing=True):
    return Traffic(tuple(workers), sessions, queue, refusing)


def test_one_zero_is_not_drained_and_a_reload_starts_the_count_again():
    watch = DrainWatch(needed=3)
    assert [watch.see(sample()) for _turn in range(2)] == [False, False]
    assert not watch.see(sample(workers=(20, 30)))
    assert not watch.see(sample(workers=(20, 30)))
    assert watch.see(sample(workers=(30,)))


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.builds(
                sample,
                st.sampled_from([(1,), (1, 2), (2,), (2, 3)]),
                st.integers(0, 2),
                st.integers(0, 1),
                st.booleans(),
            ),
        )
    )
)
def test_drained_needs_a_row_of_clean_samples(samples):
    """Whatever is seen or not seen: drained only after three known, empty, refusing samples in a row."""
    watch, row = DrainWatch(needed=3), 0
    for seen in samples:
        if seen is None:
            watch.lost()
            row = 0
            continue
        row = row + 1 if seen.refusing and seen.open == 0 else 0
        if watch.see(seen):
            assert row >= 3


@pytest.mark.parametrize(
    ("server", "good"),
    [
        (READY, True),
        (DRAIN, True),
        (MAINT, False),
        (replace(READY, status="UP 1/2", check_health=3), False),
        (replace(DRAIN, check_health=3), False),
        (replace(DRAIN, check_status="* L7OK"), True),
        (replace(DRAIN, check_status="L4CON", check_health=0), False),
        (replace(READY, check_rise=0, check_fall=0, check_health=0), False),
    ],
)
def test_healthy(server, good):
    assert healthy(Wanted("serving", ("gpu1",)), view(server))[0] is good


def test_remaining_counts_only_the_others_that_are_up():
    others = [replace(READY, name="gpu2"), replace(DRAIN, name="gpu3"), replace(READY, name="gpu4", status="DOWN")]
    assert remaining(Wanted("serving", ("gpu1",)), view(READY, *others)) == ["gpu2"]

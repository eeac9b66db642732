# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: what may begin, in which order, and why not."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.plan import (
    BalancerView,
    Node,
    Policy,
    make_plan,
)
from hypothesis import given
from hypothesis import strategies as st

UP, DOWN, OUT = ("ready", True), ("ready", False), ("drain", False)


def views(*states, names=("lb1", "lb2")):
    servers = {f"gpu{place}": state for place, state in enumerate(states, 1)}
    return [BalancerView(name, servers, holder=name == "lb1") for name in names]


def nodes(*releases):
    return [Node(f"gpu{place}", release) for place, release in enumerate(releases, 1)]


def plan(found, balancers, **policy):
    return make_plan("serving", "r2", found, balancers, Policy(**policy))


def test_one_after_the_other_standby_first():
    made = plan(nodes("r1", "r1", "r1"), views(UP, UP, UP))
    assert made.batches == (("gpu1",), ("gpu2",), ("gpu3",))
    assert made.balancers == ("lb2", "lb1")
    assert made.min_available == 2
    assert "batch 1: gpu1 (r1)" in made.text()


def test_nodes_on_the_release_are_left_out_and_a_second_run_does_nothing():
    assert plan(nodes("r2", "r1", "r2"), views(UP, UP, UP)).batches == (("gpu2",),)
    done = plan(nodes("r2", "r2", "r2"), views(UP, UP, UP))
    assert done.batches == ()
    assert "nothing to do" in done.text()


def test_a_server_out_of_service_goes_first_and_costs_nothing():
    made = plan(nodes("r1", "r1", "r2"), views(UP, UP, DOWN), min_available=1)
    assert made.batches[0] == ("gpu3",)
    assert "gpu3 is out of service" in made.text()


@pytest.mark.parametrize(
    ("found", "balancers", "policy", "reason"),
    [
        ([], views(), {}, "has no servers"),
        (nodes("r1", "r1", "r1"), views(UP, UP, UP), {"min_available": 3}, "min_available is 3"),
        (nodes("r1", "r1", "r1"), views(UP, UP, UP), {"min_available": 4}, "min_available is 4"),
        (nodes("r1"), views(UP), {}, "min_available is 1"),
        (nodes("r1", "r1", "r1"), views(UP, UP, UP), {"max_parallel": 2, "min_available": 2}, "max_parallel is 2"),
        (nodes("r1", "r1", "r1"), views(UP, UP, UP), {"max_parallel": 0}, "max_parallel is 0"),
        ([*nodes("r1", "r1"), Node("gpu3", None, "unreachable")], views(UP, UP, UP), {}, "gpu3: unreachable"),
        (
            nodes("r1", "r1"),
            [*views(UP, UP, names=("lb1",)), BalancerView("lb2", problem="unreachable")],
            {},
            "lb2: unreachable",
        ),
        (nodes("r1", "r1"), [], {}, "no balancer"),
        (nodes("r1", "r1"), views(UP, UP, names=("lb2", "lb3")), {}, "held by no balancer"),
        (nodes("r1", "r1"), views(UP, UP, names=("lb1", "lb1")), {}, "held by lb1 and lb1"),
        (nodes("r1", "r1", "r1"), views(UP, OUT, UP), {}, "gpu2 was found in drain on lb1"),
        (nodes("r1", "r1", "r1"), views(UP, UP), {}, "gpu3 is not a server of the pool"),
    ],
)
def test_refused_before_anything_is_changed(found, balancers, policy, reason):
    with pytest.raises(Refused, match=f"{reason}.*Nothing was changed"):
        plan(found, balancers, **policy)


def test_one_down_already_counts_against_the_floor():
    made = plan(nodes("r1", "r1", "r1"), views(UP, UP, DOWN))
    assert made.batches[0] == ("gpu3",)
    with pytest.raises(Refused, match="min_available"):
        plan(nodes("r1", "r1", "r1"), views(UP, UP, DOWN), min_available=3)


def test_all_reasons_are_told_at_once():
    with pytest.raises(Refused) as caught:
        plan(
            [Node("gpu1", None, "unreachable"), *nodes("r1")], [BalancerView("lb1", problem="silent")], min_available=7
        )
    assert len(caught.value.evidence["reasons"]) == 3


def test_what_an_interrupted_rollout_left_is_taken_along_when_asked():
    made = plan(nodes("r2", "r1", "r1"), views(OUT, UP, UP), admit_drained=True)
    assert made.batches[0] == ("gpu1",)


@given(
    st.lists(st.tuples(st.sampled_from(["r1", "r2", None]), st.sampled_from([UP, DOWN, OUT])), min_size=1, max_size=12),
    st.integers(-1, 5),
    st.one_of(st.none(), st.integers(-2, 12)),
    st.booleans(),
)
def test_no_plan_crosses_the_floor_or_forgets_a_server(pool, size, floor, admit):
    found = nodes(*(release for release, _state in pool))
    try:
        made = plan(
            found,
            views(*(state for _release, state in pool)),
            max_parallel=size,
            min_available=floor,
            admit_drained=admit,
        )
    except Refused:
        return
    flat = [name for batch in made.batches for name in batch]
    wrong = {f"gpu{n}" for n, (release, state) in enumerate(pool, 1) if release != "r2" or state != UP}
    assert sorted(flat) == sorted(wrong)
    assert all(len(pool) - len(batch) >= made.min_available for batch in made.batches)
    assert all(made.previous[name] == found[int(name[3:]) - 1].release for name in flat)
    assert made == plan(
        found, views(*(state for _release, state in pool)), max_parallel=size, min_available=floor, admit_drained=admit
    )


def test_two_thousand_nodes_in_a_moment():
    many = 2000
    assert len(plan(nodes(*["r1"] * many), views(*[UP] * many), max_parallel=50).batches) == 40

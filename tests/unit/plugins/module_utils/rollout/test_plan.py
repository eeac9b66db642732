# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: what may begin, in which order, and why not."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.plan import BalancerView, Node, make_plan
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.policy import settle
from hypothesis import given, settings
from hypothesis import strategies as st

UP, DOWN, OUT = ("ready", True), ("ready", False), ("drain", False)
IDENTITIES = {"r1": "tiny@r1-aaa", "r2": "tiny@r2-bbb"}


def views(*states, names=("lb1", "lb2")):
    servers = {f"gpu{place}": state for place, state in enumerate(states, 1)}
    return [BalancerView(name, servers, holder=name == "lb1") for name in names]


def nodes(*releases, domains=()):
    places = [*domains, *[""] * (len(releases) - len(domains))]
    return [
        Node(f"gpu{place}", release, domain=domain, identities=IDENTITIES)
        for place, (release, domain) in enumerate(zip(releases, places), 1)
    ]


def plan(found, balancers, virtual_ip=True, left_behind=(), release="r2", **policy):
    found = list(found)
    settled = settle(policy, len(found))
    return make_plan("serving", release, found, balancers, settled, virtual_ip, left_behind)


def test_one_after_the_other_standby_first():
    made = plan(nodes("r1", "r1", "r1"), views(UP, UP, UP))
    assert made.batches == (("gpu1",), ("gpu2",), ("gpu3",))
    assert made.balancers == ("lb2", "lb1")
    assert made.min_available == 2
    assert "batch 1: gpu1 (r1); 2 of 3 stay" in made.text()
    assert "drained at: lb2, then lb1" in made.text()


def test_nodes_on_the_release_are_left_out_and_a_second_run_does_nothing():
    assert plan(nodes("r2", "r1", "r2"), views(UP, UP, UP)).batches == (("gpu2",),)
    done = plan(nodes("r2", "r2", "r2"), views(UP, UP, UP))
    assert done.batches == ()
    assert "nothing to do" in done.text()


def test_a_server_out_of_service_goes_first_and_costs_nothing():
    made = plan(nodes("r1", "r1", "r2"), views(UP, UP, DOWN), min_available=1)
    assert made.batches[0] == ("gpu3",)
    assert made.capacity == (2, 2, 2)
    assert "gpu3 is out of service" in made.text()


def test_the_canary_goes_alone_and_the_rest_in_parallel():
    made = plan(nodes(*["r1"] * 6), views(*[UP] * 6), max_parallel=2, canary=1)
    assert made.batches == (("gpu1",), ("gpu2", "gpu3"), ("gpu4", "gpu5"), ("gpu6",))


def test_no_batch_has_two_failure_domains():
    racks = ("a", "b", "a", "b", "a", "b")
    made = plan(nodes(*["r1"] * 6, domains=racks), views(*[UP] * 6), max_parallel=3, failure_domain_key="rack")
    assert made.batches == (("gpu1",), ("gpu3", "gpu5"), ("gpu2", "gpu4", "gpu6"))
    together = plan(nodes(*["r1"] * 6, domains=racks), views(*[UP] * 6), max_parallel=3)
    assert together.batches == (("gpu1",), ("gpu2", "gpu3", "gpu4"), ("gpu5", "gpu6"))


@pytest.mark.parametrize(
    ("found", "balancers", "policy", "reason"),
    [
        ([], views(), {}, "has no servers"),
        (nodes("r1", "r1", "r1"), views(UP, UP, UP), {"min_available": 3}, "min_available is 3"),
        (nodes("r1", "r1", "r1"), views(UP, UP, UP), {"min_available": 4}, "min_available is 4"),
        (nodes("r1"), views(UP), {}, "min_available is 1"),
        (nodes("r1", "r1", "r1"), views(UP, UP, UP), {"max_parallel": 2, "min_available": 2}, "max_parallel is 2"),
        (
            [*nodes("r1", "r1"), Node("gpu3", None, "unreachable", identities=IDENTITIES)],
            views(UP, UP, UP),
            {},
            r"gpu3: unreachable \(to go on without it: nodes_excluded\)",
        ),
        (
            nodes("r1", "r1"),
            [*views(UP, UP, names=("lb1",)), BalancerView("lb2", problem="unreachable")],
            {},
            r"lb2: unreachable \(to go on without it: balancers_excluded\)",
        ),
        (nodes("r1", "r1"), [], {}, "no balancer"),
        (nodes("r1", "r1"), views(UP, UP, names=("lb2", "lb3")), {}, "held by no balancer"),
        (nodes("r1", "r1"), views(UP, UP, names=("lb1", "lb1")), {}, "held by lb1 and lb1"),
        (nodes("r1", "r1", "r1"), views(UP, OUT, UP), {}, "gpu2 was found in drain on lb1, drain on lb2: admit_node"),
        (nodes("r1", "r1", "r1"), views(UP, UP), {}, "gpu3 is not a server of the pool on lb1, lb2: run site.yml"),
        (nodes("r1", "r1"), views(UP, UP), {"nodes_excluded": ["gpu9"]}, "nodes_excluded names gpu9, which there is"),
        (nodes("r1", "r1"), views(UP, UP), {"balancers_excluded": "lb9"}, "balancers_excluded names lb9"),
        ([*nodes("r1"), Node("gpu2", "r1")], views(UP, UP), {}, "no release 'r2' for gpu2: .*declares .r1, r2"),
        (
            nodes("r1", "r1", "r1"),
            views(UP, UP, UP),
            {"nodes_excluded": "gpu3", "min_available": 2},
            "min_available is 2, but one of 2",
        ),
    ],
)
def test_refused_before_anything_is_changed(found, balancers, policy, reason):
    with pytest.raises(Refused, match=f"{reason}.*Nothing was changed"):
        plan(found, balancers, **policy)


def test_a_release_that_nobody_declares_is_refused():
    with pytest.raises(Refused, match=r"no release 'r9' for gpu1, gpu2: .*\(r1, r2\)"):
        plan(nodes("r1", "r1"), views(UP, UP), release="r9")


def test_one_down_already_counts_against_the_floor():
    made = plan(nodes("r1", "r1", "r1"), views(UP, UP, DOWN))
    assert made.batches[0] == ("gpu3",)
    assert made.capacity == (2, 2, 2)
    racks = {"failure_domain_key": "rack", "canary": 2, "max_parallel": 2}
    with pytest.raises(Refused, match=r"with gpu3, gpu1 out, 1 server\(s\) would be healthy, below min_available 2"):
        plan(nodes("r1", "r1", "r1", "r1", domains="abab"), views(UP, UP, DOWN, DOWN), **racks)


def test_a_server_up_at_one_balancer_only_is_no_capacity():
    balancers = [BalancerView("lb1", {"gpu1": UP, "gpu2": UP, "gpu3": UP}, True)]
    balancers.append(BalancerView("lb2", {"gpu1": UP, "gpu2": UP, "gpu3": DOWN}))
    assert plan(nodes("r1", "r1", "r2"), balancers).batches[0] == ("gpu3",)


def test_all_reasons_are_told_at_once():
    with pytest.raises(Refused) as caught:
        plan(
            [Node("gpu1", None, "unreachable", identities=IDENTITIES), *nodes("r1")],
            [BalancerView("lb1", problem="silent")],
            min_available=7,
        )
    assert len(caught.value.evidence["reasons"]) == 3


def test_what_an_interrupted_rollout_left_is_taken_along_when_asked():
    found, balancers = nodes("r2", "r1", "r1"), views(OUT, UP, UP)
    assert plan(found, balancers, admit_drained=True).batches[0] == ("gpu1",)
    assert plan(found, balancers, left_behind=["gpu1"]).batches[0] == ("gpu1",)
    with pytest.raises(Refused, match="gpu1 was found in drain"):
        plan(found, balancers, left_behind=["gpu2"])


def test_who_is_left_out_is_said_and_an_excluded_balancer_may_have_had_the_address():
    made = plan(nodes("r1", "r1", "r1"), views(UP, UP, UP), nodes_excluded="gpu3", min_available=1)
    assert made.servers == ("gpu1", "gpu2")
    assert "gpu3 is left out, as was asked" in made.text()
    assert plan(nodes("r1", "r1"), views(UP, UP), balancers_excluded="lb1").balancers == ("lb2",)
    assert plan(nodes("r1", "r1"), views(UP, UP, names=("a", "b")), virtual_ip=False).balancers == ("a", "b")


def test_the_digest_is_that_of_servers_and_artifacts():
    made = plan(nodes("r1", "r1"), views(UP, UP))
    assert plan(reversed(nodes("r1", "r1")), views(UP, UP)).digest == made.digest
    other = [Node(node.name, "r1", identities={**IDENTITIES, "r2": "tiny@r2-ccc"}) for node in nodes("r1", "r1")]
    assert plan(other, views(UP, UP)).digest != made.digest
    assert made.to_dict()["digest"] == made.digest


POOLS = st.lists(
    st.tuples(st.sampled_from(["r1", "r2", None]), st.sampled_from([UP, DOWN, OUT]), st.sampled_from(["a", "b", ""])),
    min_size=1,
    max_size=12,
)
SAID = st.fixed_dictionaries(
    {},
    optional={
        "max_parallel": st.integers(1, 5) | st.sampled_from(["25%", "50%"]),
        "min_available": st.integers(0, 12) | st.sampled_from(["50%", "90%"]),
        "canary": st.integers(1, 4),
        "admit_drained": st.booleans(),
        "failure_domain_key": st.sampled_from(["", "rack"]),
        "nodes_excluded": st.lists(st.sampled_from(["gpu1", "gpu2"]), unique=True),
    },
)


@settings(max_examples=300, deadline=None)
@given(POOLS, SAID, st.sets(st.sampled_from([f"gpu{n}" for n in range(1, 13)])))
def test_no_plan_crosses_the_floor_mixes_domains_or_forgets_a_server(pool, said, behind):
    found = nodes(*(release for release, _state, _domain in pool), domains=[domain for _r, _s, domain in pool])
    balancers = views(*(state for _release, state, _domain in pool))
    try:
        made = plan(found, balancers, left_behind=behind, **said)
    except Refused:
        return
    out = set(said.get("nodes_excluded", ()))
    flat = [name for batch in made.batches for name in batch]
    kept = {node.name: (node, state) for node, (_r, state, _d) in zip(found, pool) if node.name not in out}
    assert sorted(flat) == sorted(name for name, (node, state) in kept.items() if node.release != "r2" or state != UP)
    assert made.min_available == settle(said, len(pool)).min_available
    healthy = {name for name, (_node, state) in kept.items() if state == UP}
    for batch, left in zip(made.batches, made.capacity):
        assert left == len(healthy - set(batch))
        assert left >= made.min_available or not healthy & set(batch)
        assert not said.get("failure_domain_key") or len({kept[name][0].domain for name in batch}) == 1
        assert len(batch) <= settle(said, len(pool)).max_parallel
        healthy |= set(batch)
    assert all(made.previous[name] == kept[name][0].release for name in flat)
    assert made == plan(found, balancers, left_behind=behind, **said)


def test_two_thousand_nodes_in_a_moment():
    many = 2000
    made = plan(nodes(*["r1"] * many), views(*[UP] * many), max_parallel=50, canary=50)
    assert len(made.batches) == 40


def test_a_node_that_is_left_out_counts_in_no_share():
    made = plan(nodes("r1", "r1", "r1"), views(UP, UP, UP), nodes_excluded="gpu3")
    assert made.batches == (("gpu1",), ("gpu2",))
    assert made.min_available == 1

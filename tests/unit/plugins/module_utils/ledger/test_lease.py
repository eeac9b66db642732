# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease: one holder at a time, judged by each host's own uptime."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.lease import Lease, Moment
from hypothesis import given, settings
from hypothesis import strategies as st

AT = Moment(1000.0, "boot1")
HELD = Lease(fence=3, owner="alice", run="run1", ttl=60.0, at=1000.0, boot="boot1")


def later(seconds, boot="boot1"):
    return Moment(AT.uptime + seconds, boot)


def test_nobody_holds_what_was_never_granted():
    assert Lease().left(AT) == 0
    assert Lease().take("alice", "run1", 1, 60, AT) == Lease(1, "alice", "run1", 60, 1000.0, "boot1")


@pytest.mark.parametrize(("passed", "left"), [(0, 60), (59, 1), (60, 0), (1e9, 0), (-5, 60)])
def test_it_runs_out_by_uptime(passed, left):
    assert HELD.left(later(passed)) == left


def test_a_reboot_makes_it_end_late_and_never_early():
    assert HELD.left(Moment(10.0, "boot2")) == 50
    assert HELD.left(Moment(60.0, "boot2")) == 0


def test_another_is_told_who_holds_it_and_how_long():
    with pytest.raises(Refused, match="held by alice for 40 s more") as caught:
        HELD.take("bob", "run2", 4, 60, later(20))
    assert caught.value.evidence == {"held_by": "alice", "left": 40.0}


def test_after_it_ran_out_only_a_newer_number_takes_it():
    with pytest.raises(Refused, match="fencing number 3 is not newer than 3"):
        HELD.take("bob", "run2", 3, 60, later(60))
    assert HELD.take("bob", "run2", 4, 60, later(60)).owner == "bob"


def test_the_holder_takes_it_again_and_may_raise_its_number():
    assert HELD.take("alice", "run1", 3, 60, later(70)).left(later(70)) == 60
    raised = HELD.take("alice", "run1", 5, 60, later(1))
    with pytest.raises(Refused, match="fencing number 5 of alice is here, not 3"):
        raised.renew("alice", 3, 60, later(2))
    with pytest.raises(Refused):
        raised.take("alice", "run1", 4, 60, later(2))


def test_renewing_is_for_the_holder_and_in_time():
    assert HELD.renew("alice", 3, 30, later(59)).left(later(59)) == 30
    with pytest.raises(Refused, match="run out") as caught:
        HELD.renew("alice", 3, 30, later(60))
    assert caught.value.evidence == {"expired": True}
    for owner, fence in (("bob", 3), ("alice", 2), ("alice", 4)):
        with pytest.raises(Refused, match="passed on") as caught:
            HELD.renew(owner, fence, 30, later(1))
        assert caught.value.evidence == {"held_by": "alice", "fence": 3}


HOSTS, OWNERS = ("lb1", "lb2", "witness"), ("alice", "bob", "carol")
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "renew", "reboot"]),
        st.sampled_from(OWNERS),
        st.lists(st.sampled_from(HOSTS), unique=True),
        st.integers(0, 3),
        st.floats(0.0, 40.0),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(ACTS)
def test_never_two_holders_with_a_majority_each(acts):
    """Whoever asks whichever hosts, with whatever number, whenever, and whichever hosts reboot: no two may act at once.

    A holder may act for a ttl from the moment when it asked, if a majority granted it.
    """
    leases = dict.fromkeys(HOSTS, Lease())
    clocks = {host: Moment(100.0 * number, "boot") for number, host in enumerate(HOSTS, 1)}
    at, until = 0.0, dict.fromkeys(OWNERS, 0.0)
    for number, (act, owner, hosts, more, seconds) in enumerate(acts):
        at += seconds
        clocks = {host: Moment(moment.uptime + seconds, moment.boot) for host, moment in clocks.items()}
        granted = 0
        for host in hosts:
            lease, fence = leases[host], max(0, leases[host].fence + more - 1)
            try:
                if act == "take":
                    leases[host] = lease.take(owner, "run", fence, 30.0, clocks[host])
                elif act == "renew":
                    leases[host] = lease.renew(owner, fence, 30.0, clocks[host])
                else:
                    clocks[host] = Moment(0.0, f"boot{number}")
                granted += act != "reboot"
            except Refused:
                pass
        if granted >= 2:
            until[owner] = at + 30.0
        assert len([name for name in OWNERS if until[name] > at]) <= 1


@settings(max_examples=100, deadline=None)
@given(ACTS)
def test_a_host_never_goes_back_to_an_older_number(acts):
    lease, now = Lease(), AT
    for act, owner, _hosts, more, seconds in acts:
        before = lease
        now = Moment(now.uptime + seconds, now.boot)
        try:
            lease = getattr(lease, "take" if act == "take" else "renew")(
                *((owner, "run") if act == "take" else (owner,)), max(0, lease.fence + more - 2), 30.0, now
            )
        except Refused:
            assert lease == before
        assert lease.fence >= before.fence
        assert lease.owner == before.owner or before.left(now) == 0

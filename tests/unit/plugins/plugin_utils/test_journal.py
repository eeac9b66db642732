# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper of lease and journal, on real ledgers in folders: races, late holders, hosts that come and go."""

from __future__ import annotations

import os
import threading

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Refused, Unreadable
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils import journal as journal_module
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils.journal import Heartbeat, Journal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.plugins.plugin_utils.rollout_world import Clock, LedgerHosts, new_run

ALL = ("lb1", "lb2", "witness")


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.fixture
def hosts(tmp_path, clock):
    return LedgerHosts(tmp_path)


def keeper(hosts, owner="alice", **policy):
    return Journal(hosts, new_run(hosts, owner, **policy))


def told(hosts, host=None):
    """The journal's events, as a majority has them or as one host has them."""
    if host is None:
        return [event for event, _data in hosts.events()]
    return [record.event for record in hosts.store(host).records()[0]]


def test_what_is_written_is_at_every_host_under_the_holders_number(hosts):
    alice = keeper(hosts)
    assert alice.left() == 0
    alice.take([0, 0])
    alice.write("run_opened", owner="alice")
    alice.write("draining", batch=0)
    assert [told(hosts, host) for host in ALL] == [["run_opened", "draining"]] * 3
    assert [(record.seq, record.fence, record.run) for record in alice.read().records] == [
        (1, 1, "run of alice"),
        (2, 1, "run of alice"),
    ]
    assert (alice.seq, alice.left()) == (2, 60)


def test_holding_keeps_it_and_giving_back_frees_it(hosts, clock):
    alice = keeper(hosts)
    alice.take()
    clock.sleep(50)
    alice.hold()
    clock.sleep(50)
    with pytest.raises(
        Refused, match=r"pool serving is held by alice \(run run of alice\) for 10 s more, until ..:..:"
    ):
        keeper(hosts, "bob").take()
    alice.release()
    keeper(hosts, "bob").take()
    assert hosts.ledger().owner == "bob"


# --- Two controllers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("a",), ("a", "b"), ALL, ("a", "b", "c", "d", "e")])
def test_of_two_that_take_it_at_once_exactly_one_holds_it(tmp_path, clock, names):
    """Both have read that it is free; then both ask for it."""
    hosts = LedgerHosts(tmp_path, names)
    alice, bob = keeper(hosts, "alice"), keeper(hosts, "bob")
    # Bob does all of his between alice's look and her taking.
    hosts.between = [lambda: None, lambda: bob.take([0, 0])]
    with pytest.raises(Refused, match="held by bob for 60 s more") as caught:
        alice.take([0, 0])
    assert caught.value.evidence["held_by"] == "bob"
    assert hosts.ledger().owner == "bob"
    bob.write("run_opened")
    assert told(hosts) == ["run_opened"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations([(owner, host) for owner in ("alice", "bob") for host in ALL]))
def test_whatever_the_order_at_the_hosts_no_two_hold_it_and_the_loser_blocks_nobody(tmp_path, clock, order):
    hosts = LedgerHosts(tmp_path / str(abs(hash(tuple(order)))))
    keepers = {owner: keeper(hosts, owner) for owner in ("alice", "bob")}
    seen = {owner: each.read() for owner, each in keepers.items()}
    took = {owner: {} for owner in keepers}
    for owner, host in order:
        run = keepers[owner].run
        run["fence"] = seen[owner].fence + 1
        took[owner][host] = hosts.answer(host, journal_module.MODULE, keepers[owner]._arguments("take"))
    winners = [owner for owner, results in took.items() if sum(1 for r in results.values() if "failed" not in r) >= 2]
    assert len(winners) == 1
    winner, loser = winners[0], "bob" if winners[0] == "alice" else "alice"
    keepers[loser].release()
    keepers[winner].run["seq"] = 0
    keepers[winner].write("run_opened")
    # The host that had heard the loser first is with the winner from the second record on.
    keepers[winner].write("draining", batch=0)
    assert [told(hosts, host) for host in ALL] == [["run_opened", "draining"]] * 3
    with pytest.raises(Refused, match=f"held by {winner}|of {winner} is here"):
        keepers[loser].write("run_opened")


def test_a_plan_made_before_another_run_is_not_carried_out(hosts):
    bob = keeper(hosts, "bob")
    bob.take([0, 0])
    bob.write("run_opened")
    bob.release()
    with pytest.raises(Refused, match="came in between: plan again"):
        keeper(hosts).take([0, 0])
    assert hosts.ledger().owner != "alice"


def test_a_late_holder_is_refused_and_told_who_has_it(hosts, clock):
    alice, bob = keeper(hosts), keeper(hosts, "bob")
    alice.take()
    alice.write("run_opened")
    clock.sleep(61)
    bob.take()
    for late in (lambda: alice.write("draining", batch=0), alice.hold):
        with pytest.raises(Refused, match="fencing number 2 of bob is here, not 1") as caught:
            late()
        assert (caught.value.evidence["late"], caught.value.evidence["held_by"]) == (True, "bob")
    with pytest.raises(Refused, match="pool serving is held by bob"):
        alice.retake()
    bob.write("run_resumed")
    assert told(hosts) == ["run_opened", "run_resumed"]


def test_a_holder_past_its_time_is_refused_though_nobody_took_it(hosts, clock):
    alice = keeper(hosts)
    alice.take()
    clock.sleep(60)
    for late in (lambda: alice.write("draining", batch=0), alice.hold, alice.retake):
        with pytest.raises(Refused, match="run out"):
            late()
    assert alice.left() == 0
    assert told(hosts) == []


def test_a_lease_that_runs_out_while_it_is_raised_is_given_back(hosts, clock):
    alice = keeper(hosts)
    alice.take()
    hosts.between = [lambda: None, lambda: clock.sleep(60)]
    with pytest.raises(Refused, match="ran out meanwhile"):
        alice.retake()
    assert hosts.ledger().left == 0


# --- Hosts that are away --------------------------------------------------------------------------------------------


def test_one_of_three_away_and_back_again(hosts, clock):
    hosts.away = {"lb1"}
    alice = keeper(hosts)
    alice.take()
    alice.write("run_opened")
    clock.sleep(50)
    alice.write("draining", batch=0)
    assert told(hosts, "lb1") == []
    hosts.away = set()
    alice.write("changing", batch=0)
    assert told(hosts, "lb1") == ["run_opened", "draining", "changing"]
    assert hosts.store("lb1").lease().owner == "alice"
    hosts.away = {"lb2"}
    alice.write("admitting", batch=0)
    assert told(hosts, "lb1") == told(hosts, "witness")


def test_a_host_that_let_the_lease_run_out_while_it_was_away_is_repaired(hosts, clock):
    alice = keeper(hosts)
    alice.take()
    hosts.away = {"lb1"}
    for _turn in range(3):
        clock.sleep(40)
        alice.write("baking", batch=0)
    hosts.away = set()
    alice.hold()
    assert told(hosts, "lb1") == ["baking"] * 3
    hosts.away = {"witness"}
    alice.write("verified", batch=0)


def test_a_host_that_had_another_holder_before_it_went_away_is_repaired(hosts, clock):
    bob = keeper(hosts, "bob")
    bob.take()
    bob.write("run_opened")
    hosts.away = {"lb1"}
    clock.sleep(61)
    alice = keeper(hosts)
    alice.take()
    alice.write("run_resumed")
    hosts.away = set()
    alice.write("draining", batch=0)
    assert told(hosts, "lb1") == ["run_opened", "run_resumed", "draining"]


def test_copies_that_are_behind_are_repaired_by_the_next_who_takes_it(hosts, clock):
    bob = keeper(hosts, "bob")
    bob.take()
    hosts.away = {"lb1"}
    bob.write("run_opened")
    hosts.away = set()
    with open(hosts.store("witness").journal, "a") as stream:
        stream.write("0000 torn")
    clock.sleep(61)
    keeper(hosts).take()
    assert [told(hosts, host) for host in ALL] == [["run_opened"]] * 3
    assert hosts.store("witness").records()[1] is False


def test_two_of_three_away_and_nothing_is_begun_or_added(hosts):
    alice = keeper(hosts)
    alice.take()
    hosts.away = {"lb1", "lb2"}
    with pytest.raises(Unreadable, match="1 of 3 ledger hosts can be read"):
        keeper(hosts, "bob").take()
    with pytest.raises(Refused, match=r"1 of 3 ledger hosts took the record.*lb1: no route to host"):
        alice.write("draining", batch=0)
    hosts.away = set()
    # One host heard it, so it happened; what follows follows after it, everywhere.
    alice.write("draining", batch=0)
    alice.write("changing", batch=0)
    assert [told(hosts, host) for host in ALL] == [["draining", "draining", "changing"]] * 3


@pytest.mark.parametrize("names", [("lb1", "lb2"), ("lb1",)])
def test_of_two_both_are_needed_unless_the_missing_one_is_named(tmp_path, clock, names):
    hosts = LedgerHosts(tmp_path, names)
    hosts.away = {names[-1]}
    with pytest.raises(Unreadable, match="ledger hosts can be read"):
        keeper(hosts).take()
    hosts.away = set()
    alice = keeper(hosts)
    alice.take()
    hosts.away = {names[-1]}
    with pytest.raises(Refused, match="ledger hosts took the record"):
        alice.write("run_opened")


def test_of_two_one_is_enough_when_the_other_is_named_as_gone(tmp_path, clock):
    hosts = LedgerHosts(tmp_path, ("lb1", "lb2"))
    hosts.away = {"lb2"}
    alice = keeper(hosts, ledger_excluded=["lb2"])
    alice.take()
    alice.write("run_opened")
    alice.release()
    assert [event for event, _data in hosts.events(["lb2"])] == ["run_opened"]
    hosts.away = set()
    bob = keeper(hosts, "bob")
    bob.take()
    bob.write("run_resumed")
    assert told(hosts, "lb2") == ["run_opened", "run_resumed"]


def test_an_answer_that_was_lost_on_its_way_is_not_a_record_lost_or_doubled_under_one_number(hosts):
    alice = keeper(hosts)
    alice.take()
    alice.write("run_opened")
    hosts.deaf = {"lb1", "lb2"}
    with pytest.raises(Refused):
        alice.write("draining", batch=0)
    hosts.deaf = set()
    alice.write("failed", reason="no majority")
    found = hosts.ledger().records
    assert [record.event for record in found] == ["run_opened", "draining", "failed"]
    assert [record.seq for record in found] == [1, 2, 3]
    assert found[-1].fence > found[0].fence


def test_a_write_that_fails_for_a_moment_is_tried_once_more(hosts):
    alice = keeper(hosts)
    alice.take()
    hosts.away = {"lb1", "lb2"}
    hosts.between = [lambda: None, hosts.away.clear]
    alice.write("run_opened")
    # The witness heard it the first time already: it happened, and twice is as good as once.
    assert [told(hosts, host) for host in ALL] == [["run_opened"] * 2] * 3


def test_a_step_in_another_task_goes_on_where_the_last_one_stopped(hosts):
    alice = keeper(hosts)
    alice.take()
    alice.write("run_opened")
    again = Journal(hosts, dict(alice.run))
    again.write("draining", batch=0)
    assert (told(hosts), again.run["fence"]) == (["run_opened", "draining"], alice.run["fence"])


def test_a_task_that_does_not_know_its_place_looks_first(hosts):
    alice = keeper(hosts)
    alice.take()
    alice.write("run_opened")
    again = Journal(hosts, dict(alice.run, seq=None))
    again.write("draining", batch=0)
    assert told(hosts) == ["run_opened", "draining"]


CUTS = st.sampled_from([(), (), ("lb1",), ("lb2",), ("witness",), ("lb1", "lb2"), ("lb2", "witness")])
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "write", "write", "take", "hold", "release", "forget", "sleep"]),
        st.sampled_from(["alice", "alice", "alice", "bob"]),
        CUTS,
        CUTS,
    ),
    max_size=16,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=ACTS)
def test_what_a_keeper_was_told_is_written_is_in_what_any_majority_says(tmp_path_factory, clock, story):
    """Hosts away, answers lost, leases run out, controllers that come back: what got through got through for good."""
    hosts = LedgerHosts(tmp_path_factory.mktemp("ledger"))
    keepers = {owner: keeper(hosts, owner) for owner in ("alice", "bob")}
    keepers["alice"].take()
    written = []
    for number, (act, owner, away, deaf) in enumerate(story):
        hosts.away, hosts.deaf = set(away), set(deaf)
        mine = keepers[owner]
        try:
            if act == "write":
                mine.write("baking", number=number)
                written.append(number)
            elif act == "sleep":
                clock.sleep(35)
            elif act == "forget":
                keepers[owner] = Journal(hosts, dict(mine.run))
            else:
                getattr(mine, act)()
        except PlatformError:
            pass
        hosts.deaf = set()
        for gone in ALL:
            hosts.away = {gone}
            found = [data["number"] for _event, data in hosts.events()]
            assert set(written) <= set(found)
            assert found == sorted(found)


# --- The heartbeat --------------------------------------------------------------------------------------------------


class Slow:
    """A journal whose lease lasts a moment of real time."""

    def __init__(self, trouble=None, left=1.0):
        self.ttl, self.trouble, self._left = 0.04, trouble, left
        self.held = threading.Event()
        self.gone = False

    def orphaned(self):
        return self.gone

    def left(self):
        return self._left

    def hold(self):
        self.held.set()
        if self.trouble:
            raise self.trouble


def test_it_beats_while_a_step_runs():
    journal = Slow()
    with Heartbeat(journal) as beat:
        assert journal.held.wait(5)
        beat.check()


def test_trouble_is_raised_when_the_lease_is_lost_and_not_before():
    journal = Slow(trouble=Refused("held by bob"))
    with Heartbeat(journal) as beat:
        assert journal.held.wait(5)
        beat.check()
        journal._left = 0.0
        beat._stop.set()
        beat._thread.join(5)
        with pytest.raises(Refused, match="held by bob"):
            beat.check()


def test_a_holding_that_hangs_is_no_holding():
    beat = Heartbeat(Slow(left=0.0))
    with pytest.raises(Refused, match="not held in time"):
        beat.check()


def test_a_task_that_outlives_its_controller_neither_writes_nor_holds(hosts, clock, monkeypatch):
    alice = keeper(hosts)
    alice.take()
    alice.write("run_opened", owner="alice")
    clock.sleep(40)
    # Not 1: a run of these tests in the background may have that parent itself.
    monkeypatch.setattr(os, "getppid", lambda: 0)
    for act in (lambda: alice.write("draining", batch=0), alice.hold):
        with pytest.raises(Refused, match="controller is gone"):
            act()
    assert told(hosts) == ["run_opened"]
    clock.sleep(20)
    keeper(hosts, "bob").take()


def test_when_the_controller_is_gone_it_stops():
    journal = Slow()
    journal.gone = True
    with Heartbeat(journal) as beat:
        beat._thread.join(5)
        assert not beat._thread.is_alive()
        with pytest.raises(Refused, match="controller is gone"):
            beat.check()
    assert not journal.held.is_set()


def test_times_are_real(clock):
    assert journal_module.stamp().endswith("+00:00")
    assert len(journal_module.clock(0)) == 8

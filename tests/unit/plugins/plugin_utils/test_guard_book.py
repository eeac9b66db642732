# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard's log on real ledgers in folders: one decision after the other, whoever asks and whoever is away."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Refused, Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import desk
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import store as guard_store
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.chain import head_of, read_head
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.clock import Now
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.event import read_event
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.facts import read_facts
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.policy import read_policy
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger import store as ledger_store
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.lease import Moment
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils import guard_book
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils.guard_book import POOL, GuardBook
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.plugins.module_utils.guard.fleet import DOCUMENT
from tests.unit.plugins.plugin_utils.rollout_world import Clock, LedgerHosts

ALL = ("lb1", "lb2", "witness")
POLICY = read_policy({**DOCUMENT, "limits": {"patience": 0, "rate": 60, "cooldown": 0, "breaker_hosts": 9}})


@pytest.fixture
def clock(monkeypatch):
    clock = Clock(monkeypatch)
    monkeypatch.setattr(guard_store, "now", lambda: Now(1.7e9 + clock.at, Moment(clock.at, "boot")))
    monkeypatch.setattr(guard_book.time, "monotonic", lambda: clock.at)
    monkeypatch.setattr(guard_book.time, "sleep", clock.sleep)
    return clock


@pytest.fixture
def hosts(tmp_path, clock):
    return LedgerHosts(tmp_path)


def book(hosts) -> GuardBook:
    """As a controller of its own has it."""
    return GuardBook(hosts, list(hosts.names))


def asked(clock, host="n1"):
    """A question about a host that hangs."""
    signals = [{"source": source, "bad": True, "age": 1} for source in ("engine", "probe")]
    facts = read_facts(
        {
            "age": 1,
            "pools": {"serving": {"hosts": ["n1", "n2", "n3"], "up": ["n1", "n2", "n3"], "burn": None}},
            "signals": {host: signals},
        }
    )
    event = read_event(
        {
            "status": "firing",
            "labels": {"alertname": "Hung", "instance": f"{host}:8000"},
            "fingerprint": f"Hung-{host}",
            "startsAt": 1.7e9 + clock.at,
        }
    )
    return lambda state, now: desk.ask(state, event, facts, POLICY, now)


def paused(by):
    return lambda state, _now: desk.pause(state, by, f"said by {by}")


def resumed(by):
    return lambda state, _now: desk.resume(state, by, "go on")


def lines(hosts, host):
    return [record.line() for record in hosts.store(host, POOL).records()[0]]


def test_an_action_from_question_to_end_at_every_host(hosts, clock):
    answer, record = book(hosts).transact(asked(clock))
    assert answer.said["verdict"] == "act", answer.said
    permit = str(record.seq)
    book(hosts).transact(lambda state, now: desk.begin(state, permit, now))
    with pytest.raises(Refused, match="was begun before"):
        book(hosts).transact(lambda state, now: desk.begin(state, permit, now))
    book(hosts).transact(lambda state, now: desk.end(state, permit, "done", "", POLICY, now))
    state, records = book(hosts).look()
    assert [each.event for each in records] == ["decided", "begun", "ended"]
    assert [each.data["prev"] for each in records] == ["", *(head_of(records[:place]).hash for place in (1, 2))]
    assert lines(hosts, "lb1") == lines(hosts, "lb2") == lines(hosts, "witness")
    assert not [act for act in state.acts.values() if act.ended is None]
    assert book(hosts).verify(read_head(str(book(hosts).head()))) == []
    # The lease is free for the next.
    assert hosts.store("lb1", POOL).lease().left(ledger_store.now()) == 0


def test_a_question_in_check_mode_leaves_no_trace(hosts, clock):
    answer, record = book(hosts).transact(asked(clock), write=False)
    assert (answer.said["verdict"], record) == ("act", None)
    assert [call for call in hosts.calls if call[1] == "rollout_ledger"] == []


def test_one_host_may_be_away_and_comes_back_whole(hosts, clock):
    hosts.away = {"lb2"}
    book(hosts).transact(paused("alice"))
    hosts.away = {"witness"}
    # The one that was away is brought up to date before anything is decided.
    assert book(hosts).transact(asked(clock))[0].said["rule"] == "pause"
    assert [record.event for record in book(hosts).look()[1]] == ["paused", "decided"]
    assert lines(hosts, "lb2") == lines(hosts, "lb1")


def test_without_a_majority_nothing_is_allowed(hosts, clock):
    hosts.away = {"lb1", "witness"}
    for act in (lambda: book(hosts).transact(asked(clock)), book(hosts).look, book(hosts).head):
        with pytest.raises(Unreadable, match="1 of 3 ledger hosts can be read, 2 are needed"):
            act()
    assert "1 of 3" in book(hosts).verify()[0]
    assert lines(hosts, "lb2") == []


def test_whose_answers_are_lost_is_told_no_permit(hosts, clock):
    """Hosts that take a record and are cut off before they say so."""
    before = len(hosts.calls)
    book(hosts).transact(paused("alice"))
    looks = sum(1 for call in hosts.calls[before:] if call[1] == "rollout_ledger" and call[2]["action"] == "append")
    assert looks == 3

    class Cut(LedgerHosts):
        def answer(self, host, module, arguments):
            if arguments.get("action") == "append" and host != "lb1":
                super().answer(host, module, arguments)
                return {"unreachable": True, "msg": "cut off"}
            return super().answer(host, module, arguments)

    cut = Cut(hosts.folder)
    # It is looked at anew each time: what was written counts, and is not written again.
    book(cut).transact(resumed("bob"))
    assert [record.event for record in book(hosts).look()[1]] == ["paused", "resumed"]
    assert book(hosts).verify() == []


def test_a_log_that_was_edited_allows_nothing(hosts, clock):
    book(hosts).transact(paused("alice"))
    book(hosts).transact(resumed("alice"))
    for host in ALL:
        store = hosts.store(host, POOL)
        records = store.records()[0]
        forged = records[0].__class__(**{**records[0].__dict__, "data": {**records[0].data, "by": "mallory"}})
        store.replace("journal", "".join(each.line() + "\n" for each in (forged, records[1])))
    with pytest.raises(Unreadable, match="not to be trusted, so nothing is allowed"):
        book(hosts).transact(asked(clock))
    assert "was not written after record 1 as it is now" in " ".join(book(hosts).verify())


def test_a_log_that_was_cut_off_is_found_by_a_head_that_is_known(hosts, clock):
    book(hosts).transact(paused("alice"))
    book(hosts).transact(resumed("alice"))
    head = book(hosts).head()
    for host in ALL:
        store = hosts.store(host, POOL)
        store.replace("journal", store.records()[0][0].line() + "\n")
    assert book(hosts).verify() == []
    assert "its end was cut off" in " ".join(book(hosts).verify(head))


def test_it_goes_on_in_a_new_file_and_decides_as_before(hosts, clock, monkeypatch):
    monkeypatch.setattr(guard_store, "MOST_RECORDS", 4)
    hosts.away = {"witness"}
    for number in range(7):
        book(hosts).transact(paused(f"person {number}"))
    hosts.away = set()
    state, records = book(hosts).look()
    assert [record.event for record in records] == ["snapshot", "paused", "paused", "paused"]
    assert [record.seq for record in records] == [5, 6, 7, 8]
    assert state.paused["by"] == "person 6"
    assert hosts.store("lb1", POOL).archives() == ["archive-000000000004"]
    book(hosts).transact(resumed("bob"))
    # The one that was away goes on with the others.
    assert lines(hosts, "witness") == lines(hosts, "lb1")
    assert book(hosts).verify() == []


def test_another_that_has_the_log_is_waited_for_but_not_for_ever(hosts, clock):
    other = book(hosts)
    other.journal.take()
    began = clock.at
    book(hosts).transact(paused("alice"))
    # Whoever died with it held it for its time.
    assert guard_book.TTL - 1 <= clock.at - began <= guard_book.TTL + 1
    kept = book(hosts)
    kept.journal.take()
    held = clock.sleep

    def sleep(seconds):
        held(seconds)
        kept.journal.hold()

    guard_book.time.sleep = sleep
    with pytest.raises(Refused, match=r"\.guard is held by"):
        book(hosts).transact(paused("bob"))


def test_of_two_at_once_one_gets_the_permit(tmp_path, monkeypatch):
    """In real time and threads: one floor, one event, two controllers."""
    monkeypatch.setattr(guard_book, "PAUSE", 0.01)
    hosts = LedgerHosts(tmp_path)
    question = asked(SimpleNamespace(at=time.time() - 1.7e9))
    books, said = [book(hosts) for _each in range(2)], []

    def ask(one):
        said.append(one.transact(question)[0].said["verdict"])

    threads = [threading.Thread(target=ask, args=(one,)) for one in books]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["act", "wait"], said


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whoever_is_away_meanwhile_no_word_is_lost_and_the_chain_holds(tmp_path_factory, clock, data):
    """What a person was told is done stays done, in the order in which it was done."""
    hosts = LedgerHosts(tmp_path_factory.mktemp("ledgers"))
    done = []
    for number in range(data.draw(st.integers(1, 8))):
        hosts.away = set(data.draw(st.lists(st.sampled_from(ALL), max_size=2)))
        hosts.deaf = set(data.draw(st.lists(st.sampled_from(ALL), max_size=1)))
        try:
            book(hosts).transact(paused(f"person {number}"))
            done.append(f"person {number}")
        except PlatformError:
            clock.sleep(guard_book.TTL + 1)
    hosts.away, hosts.deaf = set(), set()
    records = book(hosts).look()[1]
    told = [record.data["by"] for record in records]
    assert [name for name in told if name in done] == done
    assert len(set(told)) == len(told)
    assert book(hosts).verify() == []

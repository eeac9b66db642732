# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Votes on the virtual IP: who gets one, who lets go, and that two never keep a majority."""

from __future__ import annotations

import json
import os
import socket
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.roles.program import load

ARBITERS = ["lb1", "lb2", "witness1"]
LIFETIME, PATIENCE, TICK = 1.0, 2.0, 0.2


program = load("load_balancer/files/vrrp_arbiter.py")


def test_a_vote_is_given_once_renewed_and_ends() -> None:
    vote = program.Vote(LIFETIME)
    assert vote.heard("look", "lb1", 0.0) == (None, 0.0)
    assert vote.heard("claim", "lb1", 1.0) == ("lb1", 0.0)
    assert vote.heard("claim", "lb2", 1.5) == ("lb1", 0.5)
    assert vote.heard("claim", "lb1", 1.9) == ("lb1", 0.0)
    assert vote.heard("release", "lb2", 2.0)[0] == "lb1"
    assert vote.heard("claim", "lb2", 3.0) == ("lb2", 0.0)
    assert vote.heard("release", "lb2", 3.1) == (None, 0.0)


def claim(name: str = "lb1") -> Any:
    return program.Claim(name, ARBITERS, LIFETIME, PATIENCE)


@pytest.mark.parametrize(
    ("answers", "after", "let_go", "rival"),
    [
        pytest.param({"lb1": ("lb1", 0.0), "witness1": ("lb1", 0.0)}, 9.0, False, None, id="two of three"),
        pytest.param({"lb1": ("lb1", 0.0)}, 1.9, False, None, id="alone, not for long"),
        pytest.param({"lb1": ("lb1", 0.0)}, 2.1, True, None, id="alone"),
        pytest.param({}, 2.1, True, None, id="nobody answers"),
        pytest.param({"lb1": ("lb1", 0.0), "witness1": ("lb2", 0.1)}, 0.5, False, "lb2", id="a rival, just seen"),
        pytest.param({"lb1": ("lb1", 0.0), "witness1": ("lb2", 0.9)}, 0.5, False, None, id="the vote of a dead holder"),
        pytest.param(
            {"lb1": ("lb1", 0.0), "lb2": ("lb2", 0.0), "witness1": ("lb1", 0.0)},
            0.5,
            False,
            "lb2",
            id="the rival loses",
        ),
    ],
)
def test_a_holder_lets_go(answers: dict, after: float, let_go: bool, rival: str | None) -> None:
    mine = claim()
    mine.holding(True, 10.0)
    for arbiter, (holder, age) in answers.items():
        mine.answered(arbiter, holder, age, 10.0 + after)
    assert mine.decide(10.0 + after) is let_go
    assert mine.rival == rival


def contested(name: str = "lb2") -> Any:
    """A holder that has borne with a rival for as long as it does."""
    mine = claim(name)
    mine.holding(True, 0.0)
    for now in (1.0, 1.9):
        mine.answered("witness1", "lb1", 0.0, now)
        assert not mine.decide(now)
    mine.answered("witness1", "lb1", 0.0, 2.0)
    assert mine.decide(2.0)
    return mine


def test_a_rival_that_goes_again_is_borne_with() -> None:
    """An address that a killed keepalived leaves behind for a moment."""
    mine = claim("lb2")
    mine.holding(True, 0.0)
    mine.answered("witness1", "lb1", 0.0, 0.5)
    assert not mine.decide(0.5)
    mine.answered("witness1", "lb2", 0.0, 1.4)
    mine.answered("lb2", "lb2", 0.0, 1.4)
    assert not mine.decide(1.5)
    assert mine.rival is None


def test_it_stands_by_again_once_it_sees_who_holds() -> None:
    mine = contested()
    mine.holding(False, 2.2)
    mine.answered("lb2", None, 0.0, 5.0)
    mine.answered("witness1", "lb1", 0.0, 5.0)
    assert mine.decide(5.0), "the holder is behind the partition: it would be taken for dead"
    mine.answered("lb1", "lb1", 0.0, 5.0)
    assert not mine.decide(5.0)


def test_it_stands_by_again_when_the_rival_is_dead() -> None:
    mine = contested()
    mine.holding(False, 2.2)
    mine.answered("lb2", None, 0.0, 5.0)
    assert mine.decide(5.0), "one answer is no majority"
    mine.answered("witness1", None, 0.0, 5.0)
    assert not mine.decide(5.0)


def test_a_silent_peer_is_named_to_a_holder_only() -> None:
    mine = claim()
    mine.answered("lb1", "lb1", 0.0, 9.0)
    assert mine.silent(["lb1", "lb2"], 9.0) == []
    mine.holding(True, 10.0)
    assert mine.silent(["lb1", "lb2"], 11.0) == []
    assert mine.silent(["lb1", "lb2"], 12.1) == ["lb2"]
    mine.answered("lb2", None, 0.0, 12.1)
    assert mine.silent(["lb1", "lb2"], 13.0) == []


class World:
    """Two balancers and a witness; VRRP as it is: whoever hears no holder becomes one, if it may."""

    def __init__(self) -> None:
        # In ticks, which add up exactly.
        self.ticks = self.both = 0
        self.votes = {name: program.Vote(LIFETIME) for name in ARBITERS}
        self.claims = {name: claim(name) for name in ("lb1", "lb2")}
        self.heard = dict.fromkeys(self.claims, 0.0)
        self.cut: frozenset[frozenset[str]] = frozenset()

    @property
    def now(self) -> float:
        return self.ticks * TICK

    def sees(self, one: str, other: str) -> bool:
        return one == other or frozenset((one, other)) not in self.cut

    def tick(self) -> None:
        self.ticks += 1
        for name, mine in self.claims.items():
            other = "lb2" if name == "lb1" else "lb1"
            theirs = self.claims[other]
            if theirs.holds and self.sees(name, other):
                self.heard[name] = self.now
                # Of two that see each other the lower priority gives in.
                holds = mine.holds and name == "lb1"
            else:
                holds = mine.holds or self.now - self.heard[name] > 3.5 * TICK
            holds = holds and not mine.let_go
            word = "claim" if holds else "release" if mine.holds else "look"
            mine.holding(holds, self.now)
            for arbiter, vote in self.votes.items():
                if self.sees(name, arbiter):
                    mine.answered(arbiter, *vote.heard(word, name, self.now), self.now)
            mine.decide(self.now)
        self.both = self.both + 1 if all(mine.holds for mine in self.claims.values()) else 0

    def holders(self) -> list[str]:
        return [name for name, mine in self.claims.items() if mine.holds]


LINKS = [frozenset(link) for link in (("lb1", "lb2"), ("lb1", "witness1"), ("lb2", "witness1"))]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sets(st.sampled_from(LINKS)), st.integers(1, 60)), max_size=8))
def test_two_hold_it_for_moments_only_and_a_healed_pair_has_one(story: list[tuple[set[frozenset[str]], int]]) -> None:
    world = World()
    for cut, ticks in [*story, (set(), 60)]:
        world.cut = frozenset(cut)
        for _tick in range(ticks):
            world.tick()
            assert world.both <= round((LIFETIME + PATIENCE) / TICK) + 4
    assert len(world.holders()) == 1


@pytest.mark.parametrize("holder", ["lb1", "lb2"])
def test_a_partition_of_the_pair_has_one_holder_who_keeps_it_when_it_heals(holder: str) -> None:
    world = World()
    world.claims[holder].holding(True, 0.0)
    for _tick in range(20):
        world.tick()
    assert world.holders() == [holder]
    world.cut = frozenset(LINKS[:1])
    seen = []
    for _tick in range(50):
        world.tick()
        seen.append(world.holders())
    assert seen[-1] == [holder]
    assert all(holder in now for now in seen)
    world.cut = frozenset()
    for _tick in range(50):
        world.tick()
        assert world.holders() == [holder]


ADDRESS = "192.0.2.100"


@pytest.fixture
def arbiter(tmp_path: Path) -> Any:
    pair = [("lb1", "127.0.0.1"), ("lb2", "127.0.0.2")]
    options = Namespace(
        name="lb1", arbiter=pair, balancer=pair, lifetime=LIFETIME, patience=PATIENCE, address=[ADDRESS], port=0,
        run=str(tmp_path), metrics=str(tmp_path), fence="", keepalived=str(tmp_path / "pid"),
    )  # fmt: skip
    made = program.Arbiter(options)
    yield made
    made.socket.close()


@pytest.mark.parametrize(
    "said",
    [
        {}, [], {"word": "claim"}, {"word": "claim", "name": "lb9"}, {"word": "take", "name": "lb2"},
        {"word": "claim", "name": "lb2", "number": 1e400}, {"word": "claim", "name": "lb2", "address": 5},
        {"arbiter": "lb2", "age": -1}, {"arbiter": "lb2", "age": float("nan")}, {"arbiter": ["lb2"], "number": None},
        {"arbiter": "lb2", "number": 7, "holder": "lb2"}, {"arbiter": "lb2", "number": 1, "address": "192.0.2.101"},
    ],
)  # fmt: skip
def test_what_is_not_understood_changes_nothing(arbiter: Any, said: Any) -> None:
    arbiter.sent = {1: 0.0}
    data = json.dumps({"address": ADDRESS, **said} if isinstance(said, dict) else said).encode()
    for datagram in (data, data[:-1], b"", b"\xff\xfe", b"[" * 500):
        for sender in ("127.0.0.1", "127.0.0.2", "192.0.2.9"):
            arbiter.hear(datagram, (sender, 9))
    assert [vote for vote in arbiter.votes.values() if vote.holder] == []
    assert arbiter.seats[ADDRESS].claim.answers == {}


def test_a_balancer_is_believed_from_its_own_address(arbiter: Any) -> None:
    asked = json.dumps({"word": "claim", "address": ADDRESS, "name": "lb2", "number": 3}).encode()
    arbiter.hear(asked, ("127.0.0.1", 9))
    assert arbiter.votes == {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.2", 0))
        peer.settimeout(5)
        arbiter.hear(asked, peer.getsockname())
        answer = program.read(peer.recv(512))
    assert (answer.arbiter, answer.address, answer.number, answer.holder) == ("lb1", ADDRESS, 3, "lb2")


def test_addresses_are_voted_on_apart_and_are_not_many(arbiter: Any) -> None:
    for number in range(program.MOST + 5):
        asked = {"word": "claim", "address": f"192.0.2.{number}", "name": f"lb{1 + number % 2}", "number": 1}
        arbiter.hear(json.dumps(asked).encode(), (f"127.0.0.{1 + number % 2}", 9))
    assert [vote.holder for vote in arbiter.votes.values()] == ["lb1", "lb2"] * (program.MOST // 2)


def test_keepalived_is_told_once_for_each_change(
    arbiter: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "has", lambda _address: True)
    (tmp_path / "pid").write_text(f"{os.getpid()}\n")
    arbiter.tick(1.0)
    told = tmp_path / f"quorum-{ADDRESS}"
    assert told.read_text() == "0\n"
    for now in (2.0, 3.0, 3.2):
        arbiter.seats[ADDRESS].claim.answered("lb2", "lb2", 0.0, now)
        arbiter.tick(now)
    assert told.read_text() == "1\n"
    assert capsys.readouterr().out.splitlines() == [
        f"<6>{ADDRESS} may hold",
        f"<3>split brain: lb2 holds {ADDRESS} too",
        f"<4>{ADDRESS} no majority of votes: lets go",
    ]
    assert f'steadfast_vrrp_split_brain{{address="{ADDRESS}"}} 1' in (tmp_path / "steadfast_arbiter.prom").read_text()


def test_a_silent_peer_is_fenced_once_by_a_holder_with_a_majority(
    arbiter: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "has", lambda _address: True)
    (tmp_path / "pid").write_text(f"{os.getpid()}\n")
    arbiter.options.fence = f"""sh -c 'echo "off $STEADFAST_PEER" >> {tmp_path}/fenced'"""
    seat = arbiter.seats[ADDRESS]
    # Three vote, as a majority of two would need the silent one.
    seat.claim.arbiters = ARBITERS
    for now in (1.0, 2.0, 2.9, 3.1, 4.0, 5.0):
        for voter in ("lb1", "witness1"):
            seat.claim.answered(voter, "lb1", 0.0, now)
        arbiter.tick(now)
        assert seat.fenced == ({"lb2"} if now > 1.0 + PATIENCE else set())
    for _turn in range(100):
        if (tmp_path / "fenced").exists():
            break
        time.sleep(0.05)
    assert (tmp_path / "fenced").read_text() == "off lb2\n"


def test_an_address_that_a_dead_keepalived_left_behind_is_not_held(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    assert not program.runs(str(pid))
    for text, runs in (("", False), ("x", False), ("4194999", False), (f"{os.getpid()}\n", True)):
        pid.write_text(text)
        assert program.runs(str(pid)) is runs

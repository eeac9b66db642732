# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Votes on who holds the virtual IPs: vrrp_arbiter.py NAME --arbiter NAME=ADDRESS ... --balancer NAME=ADDRESS ...

VRRP has no quorum: two balancers that do not see each other both hold the address. So every arbiter gives its one vote
to one balancer at a time, and a holder that has no majority of votes lets go: it writes 1 into a file that keepalived
tracks. A host that is no balancer only votes. Datagrams of JSON; a balancer is believed only from its own address.

Both kinds of decision (`Vote`, `Claim`) are pure, with the time in seconds of a clock that never jumps as an argument.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

# It lies beside this one.
from vrrp_notify import replace

TICK = 0.2  # seconds between two claims
LIMIT = 512  # bytes of a datagram
MOST = 16  # addresses that are voted on
# Seconds by which a renewal must be younger than my own holding to prove that there are two holders.
SLACK = 0.1


class Vote:
    """One arbiter's vote; it lasts `lifetime` seconds after its last renewal."""

    def __init__(self, lifetime: float) -> None:
        self.lifetime = lifetime
        self.holder: str | None = None
        self.renewed = 0.0

    def heard(self, word: str, name: str, now: float) -> tuple[str | None, float]:
        """Take `claim`, `release` or `look` of a balancer; tell who has the vote, renewed how many seconds ago."""
        if self.holder is not None and now - self.renewed > self.lifetime:
            self.holder = None
        if word == "claim" and self.holder in (None, name):
            self.holder, self.renewed = name, now
        if word == "release" and self.holder == name:
            self.holder = None
        return self.holder, now - self.renewed if self.holder is not None else 0.0


class Claim:
    """What a balancer makes of the votes.

    Args:
        name: this balancer.
        arbiters: all arbiters, of which more than half are a majority.
        lifetime: seconds that a vote lasts, and that a rival is borne with: an address may be left behind for a moment.
        patience: seconds that a holder stays one without a majority.
    """

    def __init__(self, name: str, arbiters: list[str], lifetime: float, patience: float) -> None:
        self.name = name
        self.arbiters = arbiters
        self.lifetime = lifetime
        self.patience = patience
        self.holds = False
        self.since = 0.0
        self.sure = 0.0
        self.let_go = False
        self.rival: str | None = None
        self.contested = 0.0
        # Arbiter: when it answered, who had its vote, and when that one was last renewed.
        self.answers: dict[str, tuple[float, str | None, float]] = {}

    def holding(self, holds: bool, now: float) -> None:
        """Whether this balancer has the address."""
        if holds and not self.holds:
            self.since = self.sure = now
        self.holds = holds

    def answered(self, arbiter: str, holder: str | None, age: float, now: float) -> None:
        """An arbiter said who has its vote, renewed `age` seconds ago."""
        self.answers[arbiter] = (now, holder, now - age)

    def decide(self, now: float) -> bool:
        """Whether to let go. `rival` then names who holds the address too, where that is proved."""
        fresh = {arbiter: said for arbiter, said in self.answers.items() if now - said[0] <= self.lifetime}
        votes = [arbiter for arbiter, said in fresh.items() if said[1] == self.name]
        if self.holds:
            rival, before = self._rival(fresh), self.rival
            self.rival, self.contested = rival, now if before is None else self.contested
            if 2 * len(votes) > len(self.arbiters):
                self.sure = now
                self.let_go = False
            elif (self.rival and now - self.contested >= self.lifetime) or now - self.sure > self.patience:
                self.let_go = True
        elif self.let_go:
            self.let_go = not self._well(fresh)
        else:
            self.rival = None
        return self.let_go

    def majority(self, now: float) -> bool:
        """Whether more than half of the arbiters answer."""
        return 2 * sum(now - said[0] <= self.lifetime for said in self.answers.values()) > len(self.arbiters)

    def silent(self, balancers: list[str], now: float) -> list[str]:
        """The other balancers whose arbiters have not answered for `patience` seconds, as a holder sees it."""
        if not self.holds or now - self.since < self.patience:
            return []
        heard = {arbiter: said[0] for arbiter, said in self.answers.items()}
        others = [name for name in balancers if name != self.name]
        return [name for name in others if now - heard.get(name, self.since) > self.patience]

    def _rival(self, fresh: dict[str, tuple[float, str | None, float]]) -> str | None:
        """Who renewed a vote after this balancer began to hold: then there are two. A dead holder's vote is older."""
        for _at, holder, renewed in fresh.values():
            if holder not in (None, self.name) and renewed > self.since + SLACK:
                return holder
        return None

    def _well(self, fresh: dict[str, tuple[float, str | None, float]]) -> bool:
        """Whether a balancer that let go may stand by again: a majority answers, and it sees whoever holds."""
        holders = {holder for _at, holder, _renewed in fresh.values()} - {None, self.name}
        return 2 * len(fresh) > len(self.arbiters) and all(holder in fresh for holder in holders)


@dataclass(frozen=True)
class Question:
    """What a balancer asks about an address: `claim`, `release` or `look`."""

    word: str
    address: str
    name: str
    number: int


@dataclass(frozen=True)
class Answer:
    """Who has an arbiter's vote on an address, renewed `age` seconds before."""

    arbiter: str
    address: str
    number: int
    holder: str | None
    age: float


def read(data: bytes) -> Question | Answer:
    """A datagram. Raises ValueError or TypeError."""
    found = json.loads(data)
    if not isinstance(found, dict) or not isinstance(found.get("address"), str):
        raise ValueError("no address")
    address, number = found["address"][:50], int(found.get("number", 0))
    if "arbiter" not in found:
        if found.get("word") not in ("claim", "release", "look"):
            raise ValueError("no question")
        return Question(found["word"], address, str(found.get("name"))[:100], number)
    holder, age = found.get("holder"), float(found.get("age", 0.0))
    if not 0 <= age < 1e6:
        raise ValueError("no age")
    return Answer(str(found["arbiter"])[:100], address, number, None if holder is None else str(holder)[:100], age)


def runs(pid_file: str) -> bool:
    """Whether the process of this file lives. An address that a dead keepalived left behind is not held."""
    try:
        with open(pid_file, encoding="ascii") as stream:
            return os.path.exists("/proc/{0:d}".format(int(stream.read(20))))
    except (OSError, ValueError):
        return False


def has(address: str) -> bool:
    """Whether this host has the address. When the kernel does not say in time, nothing is claimed."""
    argv = ["ip", "-4", "-oneline", "address", "show", "to", address + "/32"]
    try:
        return bool(subprocess.run(argv, capture_output=True, timeout=2, check=True).stdout.strip())
    except (OSError, subprocess.SubprocessError):
        return False


class Seat:
    """What a balancer does about one address: it claims, and obeys."""

    def __init__(self, address: str, options: argparse.Namespace) -> None:
        self.address = address
        self.options = options
        self.claim = Claim(options.name, list(dict(options.arbiter)), options.lifetime, options.patience)
        self.told: tuple[bool, str | None, bool] | None = None
        self.fenced: set[str] = set()

    def word(self, now: float) -> str:
        """What to ask the arbiters."""
        held = self.claim.holds
        self.claim.holding(runs(self.options.keepalived) and has(self.address), now)
        return "claim" if self.claim.holds else "release" if held else "look"

    def obey(self, now: float) -> None:
        """Judge the votes; write what changed for keepalived, and say it to people."""
        news = (self.claim.decide(now), self.claim.rival, self.claim.majority(now))
        if self.options.fence:
            self.fence(now)
        if news == self.told:
            return
        before, self.told = self.told, news
        let_go, rival, _majority = news
        if rival and (before is None or rival != before[1]):
            print("<3>split brain: {0} holds {1} too".format(rival, self.address), flush=True)
        if before is None or let_go != before[0]:
            replace(os.path.join(self.options.run, "quorum-" + self.address), "{0:d}\n".format(let_go))
            why = "no majority of votes: lets go" if let_go else "may hold"
            print("<{0}>{1} {2}".format(4 if let_go else 6, self.address, why), flush=True)

    def metrics(self) -> list[str]:
        """What was told last, for Prometheus."""
        let_go, rival, majority = self.told or (False, None, False)
        values = {"split_brain": bool(rival), "majority": majority, "let_go": let_go}
        return ['steadfast_vrrp_{0}{{address="{1}"}} {2:d}'.format(key, self.address, values[key]) for key in values]

    def fence(self, now: float) -> None:
        """Run the operator's command against a silent peer, once for each silence."""
        silent = set(self.claim.silent(list(dict(self.options.balancer)), now)) if self.claim.majority(now) else set()
        for name in sorted(silent - self.fenced):
            print("<4>{0} is silent: fencing it".format(name), flush=True)
            subprocess.Popen(shlex.split(self.options.fence), env=dict(os.environ, STEADFAST_PEER=name))
        self.fenced = silent


class Arbiter:
    """One host's part: it votes, and on a balancer it has a seat for each address."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.arbiters = dict(options.arbiter)
        self.balancers = dict(options.balancer)
        self.votes: dict[str, Vote] = {}
        self.seats = {address: Seat(address, options) for address in options.address}
        self.sent: dict[int, float] = {}
        self.written: list[str] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.arbiters[options.name], options.port))

    def run(self) -> None:
        """For ever: answer what comes, and claim at every tick."""
        due = time.monotonic()
        while True:
            left = due - time.monotonic()
            if left <= 0:
                due = time.monotonic() + TICK
                self.tick(time.monotonic())
                continue
            self.socket.settimeout(left)
            try:
                data, sender = self.socket.recvfrom(LIMIT)
            except OSError:
                # Nothing came, or a datagram could not be delivered: silence, either way.
                continue
            self.hear(data, sender)

    def hear(self, data: bytes, sender: tuple[str, int]) -> None:
        """A datagram; whatever is not understood or comes from somebody else is passed over."""
        try:
            said = read(data)
            if isinstance(said, Question):
                if self.balancers.get(said.name) == sender[0]:
                    self.send(self.reply(said, time.monotonic()), sender)
            elif said.number in self.sent and self.arbiters.get(said.arbiter) == sender[0]:
                # As of when it was asked: an answer that was long under way proves nothing about now.
                claim = self.seats[said.address].claim
                claim.answered(said.arbiter, said.holder, said.age, self.sent[said.number])
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return

    def reply(self, said: Question, now: float) -> dict[str, Any]:
        """This arbiter's vote on the address. Raises ValueError for more addresses than anybody has."""
        if said.address not in self.votes and len(self.votes) >= MOST:
            raise ValueError("too many addresses")
        vote = self.votes.setdefault(said.address, Vote(self.options.lifetime))
        holder, age = vote.heard(said.word, said.name, now)
        words = {"arbiter": self.options.name, "address": said.address, "number": said.number}
        return {**words, "holder": holder, "age": age}

    def tick(self, now: float) -> None:
        """Claim what is held, and obey the votes that have come."""
        number = max(self.sent, default=0) + 1
        self.sent = {other: at for other, at in self.sent.items() if now - at <= self.options.lifetime} | {number: now}
        for address, seat in self.seats.items():
            message = {"word": seat.word(now), "address": address, "name": self.options.name, "number": number}
            for host in self.arbiters.values():
                self.send(message, (host, self.options.port))
            seat.obey(now)
        lines = [line for seat in self.seats.values() for line in seat.metrics()]
        if lines != self.written:
            self.written = lines
            try:
                replace(os.path.join(self.options.metrics, "steadfast_arbiter.prom"), "\n".join(lines) + "\n")
            except OSError as error:
                print("<4>metrics could not be written: {0}".format(error), flush=True)

    def send(self, message: dict[str, Any], to: tuple[str, int]) -> None:
        """A datagram; no way there is no answer."""
        try:
            self.socket.sendto(json.dumps(message).encode(), to)
        except OSError:
            return


def pair(text: str) -> tuple[str, str]:
    """NAME=ADDRESS."""
    name, _equals, address = text.partition("=")
    return name, address


def main(argv: list[str]) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="vrrp_arbiter.py")
    parser.add_argument("name", help="this host's name among the arbiters")
    parser.add_argument("--arbiter", type=pair, action="append", required=True, help="NAME=ADDRESS of each arbiter")
    parser.add_argument("--balancer", type=pair, action="append", required=True, help="NAME=ADDRESS of each balancer")
    parser.add_argument(
        "--address", action="append", default=[], help="a virtual IP; without one, this host only votes"
    )
    parser.add_argument("--port", type=int, default=8408)
    parser.add_argument("--lifetime", type=float, default=1.0, help="seconds that a vote lasts")
    parser.add_argument("--patience", type=float, default=2.0, help="seconds that a holder waits for a majority")
    parser.add_argument("--run", default="/run/steadfast/vrrp", help="folder of the file that keepalived tracks")
    parser.add_argument("--keepalived", default="/run/vrrp.pid", help="file with the process id of keepalived")
    parser.add_argument("--metrics", default="/var/lib/steadfast/metrics")
    parser.add_argument("--fence", default="", help="command against a silent peer")
    Arbiter(parser.parse_args(argv)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves the virtual IP from one balancer to another while a third host asks through it."""

from __future__ import annotations

import contextvars
import time
from concurrent.futures import ThreadPoolExecutor

from ..module_utils.errors import DeadlineExceeded, PlatformError, Refused
from ..module_utils.rollout.found import problem
from ..module_utils.vrrp.failover import Side, decide
from .crew import NAMESPACE, balancer_options

MAX_ROUNDS = 50
# Seconds: asked before a move and after it, how long the old holder stands back, and until it stands by again.
BEFORE, AFTER, STAND_BACK, RETURN = 1.0, 2.0, 3.0, 30.0
# Seconds that one request may take: the kernel sends a lost packet again after 1, 3 and 7. How long an answer takes is
# told by the gap; a request counts as lost only when sending again did not help.
PATIENCE = 8.0


class Switchover:
    """One operation on one virtual IP.

    Args:
        fleet: reaches the hosts.
        hostvars: the inventory's variables.
        given: the action's arguments.
        say: shows a line to the operator.
    """

    def __init__(self, fleet, hostvars, given, say):
        self.fleet = fleet
        self.hostvars = hostvars
        self.given = given
        self.say = say
        self.moves = []
        self.address = given["address"]
        self.question = {key: given[key] for key in ("address", "port", "path", "tls")}

    def decision(self, to):
        """Where it would go, and what speaks against it."""
        return decide(self.sides(), to)

    def sides(self):
        """Every balancer as it is now."""
        names = self.given["balancers"]
        options = {name: balancer_options(self.hostvars[name]) for name in names}
        balancers = self.fleet.run({name: (NAMESPACE + "haproxy_info", options[name]) for name in names})
        addresses = self.fleet.everywhere(names, NAMESPACE + "vip_info", {"address": self.address})
        return [side(name, addresses[name], balancers[name]) for name in names]

    def run(self, decision):
        """Move once, or there and back for every round and back whatever happened. Raises PlatformError."""
        self._ask(0)
        if not self.given["rounds"]:
            self._move(decision.source, decision.target)
            return self._result()
        home = decision.source
        try:
            for _round in range(self.given["rounds"]):
                self._move(decision.source, decision.target)
                self._back(home)
        except PlatformError as error:
            raise type(error)("{0}. {1}".format(error.message, self._home(home)), **error.evidence) from error
        return self._result()

    def _back(self, home):
        """From wherever it is to its home, once the home is fit."""
        end = time.monotonic() + RETURN
        while True:
            decision = self.decision(home)
            if not decision.objections:
                if decision.source:
                    self._move(decision.source, home)
                return
            if time.monotonic() >= end:
                words = "{0} is not fit to have it back after {1:g} s: {2}"
                raise DeadlineExceeded(words.format(home, RETURN, "; ".join(decision.objections)))
            time.sleep(0.2)

    def _home(self, home):
        """Put it back after something went wrong, and say how that went."""
        try:
            self._back(home)
        except PlatformError as error:
            return "It was not put back to {0}: {1}".format(home, error.message)
        return "{0} holds the virtual IP again".format(home)

    def _move(self, source, target):
        """Give it away and watch it arrive, while the third host asks. Raises PlatformError."""
        with ThreadPoolExecutor(1) as threads:
            asked = threads.submit(contextvars.copy_context().run, self._ask, BEFORE + AFTER)
            time.sleep(BEFORE)
            calls = {"address": self.address, "seconds": STAND_BACK, "reason": self.given["reason"]}
            self._done(source, self.fleet.run({source: (NAMESPACE + "vip_handover", calls)})[source])
            self._arrived(source, target)
            seen = asked.result()
        move = {
            "source": source,
            "target": target,
            **{key: seen[key] for key in ("requests", "unanswered", "unconnected", "problems", "gap")},
        }
        self.moves.append(move)
        self.say(line(move))
        if seen["unanswered"] == seen["requests"]:
            raise PlatformError("nothing is answered through {0}: {1}".format(self.address, seen["problems"]))

    def _arrived(self, source, target):
        """Wait until the target holds it, and nobody else."""
        end = time.monotonic() + STAND_BACK
        while True:
            found = self.fleet.everywhere([source, target], NAMESPACE + "vip_info", {"address": self.address})
            holders = [name for name, result in found.items() if result.get("holder")]
            if holders == [target]:
                return
            if time.monotonic() >= end:
                raise DeadlineExceeded(
                    "{0} did not take {1} over within {2:g} s; held by {3}. {4} stands by again".format(
                        target, self.address, STAND_BACK, " and ".join(holders) or "nobody", source
                    )
                )

    def _ask(self, seconds):
        """What is answered through the address. Raises PlatformError when the third host cannot ask."""
        arguments = dict(self.question, seconds=seconds, rate=self.given["rate"], timeout=PATIENCE)
        host = self.given["asked_from"]
        result = self._done(host, self.fleet.run({host: (NAMESPACE + "vip_probe", arguments)})[host])
        if not seconds and result["unanswered"]:
            raise Refused(
                "{0} gets no answer through {1}:{2} ({3}). Nothing was changed.".format(
                    host, self.address, self.question["port"], ", ".join(result["problems"])
                )
            )
        return result

    @staticmethod
    def _done(host, result):
        if result.get("unreachable") or result.get("failed"):
            raise PlatformError("{0}: {1}".format(host, result.get("msg") or "no answer"))
        return result

    def _result(self):
        return {"moves": self.moves, "text": "\n".join(map(line, self.moves))}


def line(move):
    """A move, for the operator."""
    words = (
        "{source} -> {target}: longest gap {gap:.2f} s, {requests} requests, "
        "{unanswered} without an answer, {unconnected} of them without a connection"
    )
    problems = "; ".join("{0} times {1}".format(number, reason) for reason, number in move["problems"].items())
    return words.format(**move) + (" ({0})".format(problems) if problems else "")


def side(name, address, balancer):
    """What a balancer said, as the decision takes it."""
    trouble = problem(address, "let_go") or problem(balancer, "backends")
    if trouble:
        return Side(name, holder=bool(address.get("holder")), trouble=trouble)
    servers = {
        pool: {server: view["up"] for server, view in found.items()} for pool, found in balancer["backends"].items()
    }
    out = [
        "{0}/{1}".format(pool, server)
        for pool, found in balancer["backends"].items()
        for server, view in found.items()
        if view["state"] != "ready"
    ]
    return Side(
        name,
        holder=address["holder"],
        state=(address["vrrp"] or {}).get("state"),
        config=address["config"],
        served=address["served_config"],
        pools=servers,
        out=tuple(sorted(out)),
        tables=balancer["tables"],
        let_go=tuple(address["let_go"]),
    )

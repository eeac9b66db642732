# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The balancers' watch for what a dead controller left out of traffic: one look, and what follows from it.

While a controller lives, the watch holds out of traffic a server that is in change: this balancer may have been away
when it was drained, and has come back knowing nothing of it.

The role load_balancer installs this folder on the balancer, and a timer that runs its files/deadman.py every few
seconds. It needs nothing but Python.
"""

from __future__ import annotations

import json
import os
from typing import Any

from ..engine.client import Engine
from ..engine.proof import prove
from ..engine.question import Question
from ..errors import PlatformError, Unreadable
from ..haproxy.admin import Wanted
from ..haproxy.control import Balancer
from ..haproxy.records import Server
from ..ledger.store import Store, now
from .deadman import Move, moves
from .state import Run, runs, unfinished

# Seconds that one proof may take.
PROOF_S = 10.0
# Beside the journal: what is held out of traffic here.
HELD = "held.json"


class DeadMan:
    """One balancer's watch over one pool. `patience`: seconds until quarantine; `api_key`: what its engines ask for."""

    def __init__(
        self, store: Store, balancer: Balancer, name: str, pool: str, patience: float, api_key: str | None = None
    ) -> None:
        self.store, self.balancer, self.name, self.pool = store, balancer, name, pool
        self.patience, self.api_key = patience, api_key

    def tick(self) -> list[str]:
        """Look once, act where it is time to; what was done, a line each."""
        expired = self.store.lease().left(now()) <= 0
        records = self.store.records()[0]
        run = unfinished(records) if expired else None
        if run is None:
            return self._hold(runs(records))
        marks, view = self._marks(run), self._view()
        done = []
        for move in moves(run, self.name, view, marks, now().uptime, self.patience):
            line = self._carry_out(run, move, view[move.server], marks)
            if line:
                done.append(line)
        self._save(run, marks)
        return done

    def _hold(self, everything: list[Run]) -> list[str]:
        """Hold out what is in change, and give back what was held, by probation and with proof."""
        held = self._held()
        in_change = everything[-1].in_change(self.name) if everything and everything[-1].open else []
        if not in_change and not held:
            return []
        view = self._view()
        done = []
        for name in in_change:
            if name in view and view[name].admin_state == "ready" and self._take_out(everything[-1].id, name):
                held[name] = everything[-1].id
                done.append("{0} is held out of traffic: run {1} changes it".format(name, held[name]))
        known = {run.id: run for run in everything}
        for name in sorted(set(held) - set(in_change)):
            if name not in view or held[name] not in known or self._give_back(known[held[name]], view[name]):
                done.append("{0} is held no more".format(name))
                del held[name]
        if done:
            self.store.replace(HELD, json.dumps(held))
        return done

    def _view(self) -> dict[str, Server]:
        """The pool's servers as this balancer sees them."""
        return {name: server for (backend, name), server in self.balancer.current().items() if backend == self.pool}

    def _take_out(self, run: str, name: str) -> bool:
        """Under the ledger's lock, so that the controller cannot go on to admit between the look and the act."""
        with self.store.alone():
            left = unfinished(self.store.records()[0])
            if left is None or left.id != run or name not in left.in_change(self.name):
                return False
            self.balancer.apply(Wanted(self.pool, (name,), "drain"))
            return True

    def _give_back(self, run: Run, server: Server) -> bool:
        """True when it is in traffic, or somebody else has put it aside."""
        if server.admin_state != "drain":
            return True
        if not server.checks_pass:
            return False
        try:
            self._prove(run, server.name, server)
        except PlatformError:
            return False
        self.balancer.apply(Wanted(self.pool, (server.name,), "ready"))
        return True

    def _held(self) -> dict[str, str]:
        """Servers that this watch holds out of traffic, each with the run that it is for."""
        try:
            with open(os.path.join(self.store.folder, HELD), encoding="utf-8") as stream:
                return {str(name): str(run) for name, run in dict(json.load(stream)).items()}
        except (OSError, ValueError, TypeError):
            return {}

    def _abandoned(self) -> Run | None:
        """The unfinished run whose lease has run out here."""
        if self.store.lease().left(now()) > 0:
            return None
        return unfinished(self.store.records()[0])

    def _carry_out(self, run: Run, move: Move, server: Server, marks: dict[str, Any]) -> str:
        mark = marks.setdefault(move.server, {"state": "probation", "since": now().uptime, "why": ""})
        if move.act == "quarantine":
            self._set(run, move, "maint")
            mark.update(state="quarantined", why=move.why)
            return "{0} is quarantined: {1}".format(move.server, move.why)
        if move.act == "probation":
            if server.admin_state == "maint":
                self._set(run, move, "drain")
                return "{0} is on probation: {1}".format(move.server, move.why)
            return ""
        try:
            self._prove(run, move.server, server)
        except PlatformError as error:
            mark["why"] = error.message
            return ""
        self._set(run, move, "ready")
        mark.update(state="returned", why=move.why)
        return "{0} is back in traffic: {1}".format(move.server, move.why)

    def _set(self, run: Run, move: Move, state: str) -> None:
        """Under the ledger's lock, so that no controller can take the lease between the look and the act."""
        with self.store.alone():
            abandoned = self._abandoned()
            if abandoned is None or abandoned.id != run.id:
                raise Unreadable("another controller has taken the pool meanwhile")
            weight = int(move.weight) if state == "ready" and move.weight else None
            self.balancer.apply(Wanted(self.pool, (move.server,), state, weight))

    def _prove(self, run: Run, name: str, server: Server) -> None:
        """One of the run's releases must be there and answer. Raises PlatformError."""
        asked = run.plan.get("questions", {}).get(name, {})
        engine = Engine("http://{0}".format(server.address), PROOF_S, self.api_key)
        trouble = Unreadable("the journal does not say how to prove {0}".format(name))
        for question in asked.values():
            try:
                prove(engine, Question(**question), 0)
                return
            except TypeError as error:
                trouble = Unreadable("the journal's question is not understood: {0}".format(error))
            except Unreadable as error:
                trouble = error
        raise trouble

    def _marks(self, run: Run) -> dict[str, Any]:
        try:
            with open(os.path.join(self.store.folder, "deadman.json"), encoding="utf-8") as stream:
                kept = json.load(stream)
            return dict(kept["servers"]) if kept["run"] == self._watch(run) else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _save(self, run: Run, marks: dict[str, Any]) -> None:
        self.store.replace("deadman.json", json.dumps({"run": self._watch(run), "servers": marks}))

    def _watch(self, run: Run) -> str:
        """One watch: the same run may be resumed and abandoned again, and its servers get their time anew."""
        return "{0} under {1}".format(run.id, self.store.lease().fence)

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The balancers' watch for what a dead controller left out of traffic: one look, and what follows from it.

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
from .state import Run, unfinished

# Seconds that one proof may take.
PROOF_S = 10.0


class DeadMan:
    """One balancer's watch over one pool."""

    def __init__(self, store: Store, balancer: Balancer, name: str, pool: str, patience: float) -> None:
        self.store, self.balancer, self.name, self.pool, self.patience = store, balancer, name, pool, patience

    def tick(self) -> list[str]:
        """Look once, act where it is time to; what was done, a line each."""
        run = self._abandoned()
        if run is None:
            return []
        marks = self._marks(run)
        view = {name: server for (backend, name), server in self.balancer.current().items() if backend == self.pool}
        done = []
        for move in moves(run, self.name, view, marks, now().uptime, self.patience):
            line = self._carry_out(run, move, view[move.server], marks)
            if line:
                done.append(line)
        self._save(run, marks)
        return done

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
        engine = Engine("http://{0}".format(server.address), PROOF_S)
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

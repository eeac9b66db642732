# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a rollout. Each can be repeated; each writes what it is about to do before it does it."""

from __future__ import annotations

import contextlib
import contextvars
import getpass
import os
import platform
import secrets
import time
from concurrent.futures import ThreadPoolExecutor

from ..module_utils.errors import PlatformError, Refused
from ..module_utils.rollout.found import problem
from ..module_utils.rollout.metric_gates import load_time_gate
from ..module_utils.rollout.state import condemns, load_seconds, to_revert, unfinished
from .bake import Bake, verdict_dicts
from .crew import Crew
from .events import Events
from .fleet import Fleet
from .journal import Heartbeat, Journal, boottime

# A load is never called slow below this, in seconds: small models load in the noise.
LOAD_FLOOR_S = 10.0
# Seconds for which a look at the balancers is as good as another.
FRESH_S = 1.0
# What may not last beyond the time that a batch has left. A bake that has begun is never shorter than its policy says.
WAITS = ("drain_deadline", "capacity_deadline", "healthy_deadline", "max_bake_time")


class Steps:
    """One rollout as one task sees it.

    Args:
        action: the action plugin that runs.
        task_vars: its variables.
        run: what `open` returned; changed in place.
    """

    def __init__(self, action, task_vars, run):
        self.run = run
        self.policy = run["policy"]
        self.plan = run["plan"]
        self.fleet = Fleet(action, task_vars)
        self.crew = Crew(self.fleet, run, task_vars["hostvars"])
        self.journal = Journal(self.fleet, run)
        # Its own connections: it writes while a step reads.
        self.beating = Journal(Fleet(action, task_vars), run, self.journal.lock)
        self._beside, self._noted = ThreadPoolExecutor(1), None
        # What is written with the next record, and what a bake has just seen at the balancers.
        self._due, self._seen = [], (0.0, {})
        self.events = Events(run["events_folder"], run["id"], run["pool"], action._display)

    # --- The life of a run --------------------------------------------------------------------------------------

    def open(self, answer, staged):
        """Take the lease and open the journal, or take up the run that was left. `staged`: what a look found there."""
        plan = self.plan if answer["run"] else dict(self.plan, questions=self._questions(staged))
        ledger = self.journal.take(answer["tip"])
        self.run["learned"] = self._learned(ledger.records)
        if answer["run"]:
            self.journal.write("run_resumed", owner=self.run["owner"])
        else:
            planned = {name for batch in self.plan["batches"] for name in batch}
            self.journal.write(
                "run_opened",
                owner=self.run["owner"],
                plan=plan,
                policy=self.policy,
                supersedes=answer["supersedes"],
                # What an unfinished run left out of traffic is this run's to bring back.
                prior={name: states for name, states in self.run["prior"].items() if name in planned},
            )
        self.events.emit(
            "run_opened",
            release=self.plan["release"],
            mode=answer["mode"],
            plan=answer["text"],
            batches=self.plan["batches"],
            previous=self.plan["previous"],
            policy=self.policy,
        )

    def close(self, outcome, reason=""):
        """Say how it ended, and give the lease back."""
        self._write(("run_closed", {"outcome": outcome, "reason": reason}))
        self.journal.release()
        self.events.emit(
            "run_closed", outcome=outcome, reason=reason, report=os.path.join(self.events.folder, "report.html")
        )

    # --- Forward ------------------------------------------------------------------------------------------------

    def forward(self, batches):
        """Batch after batch. Raises PlatformError with the batch that failed."""
        for index in batches:
            try:
                self.batch(index)
            except PlatformError as error:
                error.evidence["batch"] = index
                with contextlib.suppress(PlatformError):
                    # A verdict counts, whatever became of the batch after it.
                    self._write()
                raise
        self._write()

    def batch(self, index):
        """From traffic to traffic. No step begins, or waits, beyond progress_deadline; raises PlatformError then."""
        limit = self.policy["progress_deadline"]
        end = boottime() + limit
        for step in (self.drain, self.change, self.admit, self.bake):
            left = end - boottime()
            if left <= 0:
                raise PlatformError(
                    "not back in traffic with proof {0:g} s after its drain (progress_deadline)".format(limit)
                )
            shorter = {key: min(self.run["policy"][key], left) for key in WAITS}
            self.crew.policy = self.policy = {**self.run["policy"], **shorter}
            step(index)

    def drain(self, index):
        """Take a batch out of traffic at every balancer, standby first, and wait until nothing runs there."""
        batch, floor = self.plan["batches"][index], self.plan["min_available"]
        self.crew.absent.clear()
        views = self._views()
        for name, states in _states(views, batch).items():
            self.run["prior"].setdefault(name, states)
        self._phase("draining", index, prior={name: self.run["prior"][name] for name in batch})
        with self._alive():
            if not self._parked(views, batch):
                self.crew.drain(self.crew.present()[:-1], batch, floor)
                cut, seconds = self.crew.park(batch, self.policy["on_drain_deadline"], floor)
                self._tell("draining", index, "took", seconds={"drain": seconds})
                if cut:
                    self._tell("draining", index, "waiting", gate="drain", numbers={"cut": cut}, left_s=0)

    def change(self, index):
        """Switch every node of the batch to the release, and prove it there; the seconds that it took are kept."""
        release = self.plan["release"]
        troubles = self._switch(index, dict.fromkeys(self.plan["batches"][index], release))
        if troubles:
            raise PlatformError("; ".join("{0}: {1}".format(*item) for item in sorted(troubles.items())))

    def _switch(self, index, wanted, back=False, parked=True):
        """Switch nodes to releases at once; the reason for each that did not. `parked`: drained at every balancer."""
        self._phase("changing", index, back=back)
        with self._alive():
            results = self.crew.activate(wanted, parked)
        self.run["loads"] = {
            node: result["seconds_to_ready"] for node, result in results.items() if "seconds_to_ready" in result
        }
        stop = max((result.get("seconds_to_stop", 0.0) for result in results.values()), default=0.0)
        load = max(self.run["loads"].values(), default=0.0)
        self._tell("changing", index, "took", seconds={"stop": stop, "load": load})
        troubles = {node: problem(result, "proof") for node, result in results.items()}
        return {node: results[node].get("msg") or why for node, why in troubles.items() if why}

    def admit(self, index):
        """Bring the batch back by probation, at the first weight of the ramp."""
        self._admit(index, self.plan["batches"][index], self.policy["ramp"][0])

    def _admit(self, index, servers, share, back=False):
        loads = {} if back else self._load_keys(self.run["loads"])
        self._phase("admitting", index, back=back, load_seconds=loads)
        with self._alive():
            self.crew.admit(self._weights(servers, share))

    def bake(self, index):
        """Watch the batch until the gates have a verdict. Raises PlatformError with the reasons unless it is a pass."""
        batch = self.plan["batches"][index]
        self._note("baking", index)
        with self._alive() as beat:
            watcher = Bake(
                self.crew,
                self.run,
                batch,
                self.plan["release"],
                lambda event, **data: self._tell("baking", index, event, **data),
            )
            ramp = [
                lambda share=share: self.crew.admit(self._weights(batch, share)) for share in self.policy["ramp"][1:]
            ]
            worst, verdicts = watcher.watch(ramp, self.policy["bake_time"], self.policy["max_bake_time"], beat.check)
            verdicts += self._load_gates(self.run["loads"])
        listed = verdict_dicts(verdicts)
        self._tell("baking", index, "verdicts", verdicts=listed)
        worst_load = [v for v in verdicts if v.gate == "load_time" and v.verdict == "fail"]
        if worst.verdict != "pass" or worst_load:
            why = worst.reason if worst.verdict != "pass" else worst_load[0].reason
            still = (
                ""
                if worst.verdict == "fail" or worst_load
                else "no verdict after {0:g} s: ".format(self.policy["max_bake_time"])
            )
            raise PlatformError(still + why, verdicts=listed)
        self.run["spent"] = watcher.spent()
        self._seen = (boottime(), watcher.seen)
        verdict = {"batch": index, "spent": self.run["spent"], "verdicts": _short(listed)}
        self._due.append(("verified", verdict))

    # --- The way back -------------------------------------------------------------------------------------------

    def fail(self, index, reason, verdicts=()):
        """Record the failure and what will be taken back for it. Returns the run as the journal has it then."""
        # Whatever the failed step was about to write, nothing may be said twice under one number.
        left = unfinished(self.journal.retake().records)
        # The failed step's own account of the run is lost with it.
        self.run["prior"].update(left.prior if left else {})
        if left is not None and left.failed:
            index = max(left.reverting, default=index)
        elif left is not None:
            # Batches go one after the other: what was begun and is not verified is what failed.
            index = max((begun for begun, phase in left.phases.items() if phase != "verified"), default=index)
            left.reverting = to_revert(left, index, self.policy["on_failure"])
            left.condemned = condemns(verdicts)
            self.journal.write(
                "failed", batch=index, reason=reason, reverting=list(left.reverting), verdicts=_short(verdicts)
            )
        self._emit_phase("failed", index, reason)
        return left

    def take_back(self, left):
        """Bring batches back to the release from before, by the same steps, newest first. Returns what did not come."""
        lost = {}
        for index in left.backward():
            self._emit_phase("reverting", index)
            gone = self._back(index, left.phases.get(index), left.condemned)
            if gone:
                self.journal.write("quarantined", nodes=gone)
                self._emit_phase("quarantined", index, "; ".join("{0}: {1}".format(*item) for item in gone.items()))
            if len(gone) < len(self.plan["batches"][index]):
                self.journal.write("reverted", batch=index)
                self._emit_phase("reverted", index)
            lost.update(gone)
        return lost

    def _back(self, index, phase, condemned):
        """One batch; the nodes that did not come back, each with its reason. They stay out of traffic."""
        batch = self.plan["batches"][index]
        try:
            # What was only drained needs no drain to come back.
            if phase != "draining":
                self._leave(batch)
        except Refused as error:
            return dict.fromkeys(batch, "left as it is, in traffic: {0}".format(error.message))
        except PlatformError as error:
            if phase == "baking" and not condemned:
                # It was proved, and nothing spoke against it but that nobody could look any longer.
                words = "left as it is, in traffic on {0}: {1}"
                return dict.fromkeys(batch, words.format(self.plan["release"], error.message))
            self.crew.isolate(batch)
            return dict.fromkeys(batch, error.message)
        lost = {node: "it had no release before" for node in batch if not self.plan["previous"][node]}
        wanted = {node: self.plan["previous"][node] for node in batch if node not in lost}
        lost.update(self._switch(index, wanted, back=True, parked=phase != "draining"))
        good = [node for node in batch if node not in lost]
        try:
            if good:
                self._admit(index, good, 100, back=True)
        except PlatformError as error:
            lost.update(dict.fromkeys(good, error.message))
        if lost:
            self.crew.isolate(list(lost))
        return lost

    def _leave(self, batch):
        """Out of traffic for the way back; nothing changed where the capacity floor forbids it or a balancer is silent.

        One that only the controller cannot reach would go on sending requests there.
        """
        with self._alive():
            self.crew.views()
            for balancer in self.crew.present():
                self.crew.drain([balancer], batch, self.plan["min_available"])
            self.crew.park(batch, "continue")

    # --- Small things -------------------------------------------------------------------------------------------

    def _alive(self):
        """Hold the lease while something long runs; refuse to begin it with too little left."""
        if self.journal.left() < self.journal.ttl / 2:
            self.journal.hold()
        self.beating._held = self.journal._held
        return _Alive(self.beating)

    def _phase(self, phase, index, back=False, **data):
        """Write what is about to be done."""
        more = {key: value for key, value in data.items() if value}
        self._write((phase, {"batch": index, **({"back": True} if back else {}), **more}))
        self._emit_phase(phase, index, "back to the release before" if back else "")

    def _write(self, *entries):
        """Write records, (event, data) each, after what was noted and with what is due."""
        noted, self._noted = self._noted, None
        with contextlib.suppress(PlatformError):
            # What too few took was no intent; whether a majority is there, this record will tell.
            if noted:
                noted.result()
        due, self._due = self._due, []
        if due or entries:
            self.journal.write_all([*due, *entries])
        for phase, data in due:
            self._emit_phase(phase, data["batch"])

    def _note(self, phase, index):
        """Write what is so, while the next step looks: nothing is changed before it is written."""
        self._noted = self._beside.submit(contextvars.copy_context().run, self._written, phase, index)

    def _written(self, phase, index):
        self.beating.write(phase, batch=index)
        self._emit_phase(phase, index)

    def _views(self):
        """The pool at every balancer: as a bake has seen it a moment ago, else looked at now."""
        at, seen = self._seen
        whole = set(seen) == set(self.crew.balancers) and not any(isinstance(view, str) for view in seen.values())
        return seen if whole and boottime() - at < FRESH_S else self.crew.views()

    def _emit_phase(self, phase, index, detail=""):
        self._tell(phase, index, "phase", detail=detail)

    def _tell(self, phase, index, event, **data):
        self.events.emit(
            event,
            batch=index + 1,
            batches=len(self.plan["batches"]),
            nodes=self.plan["batches"][index],
            phase=phase,
            **data,
        )

    def _parked(self, views, batch):
        """True when every balancer has the batch in maintenance and empty, so that there is nothing to wait for."""
        return all(
            view[name]["state"] == "maint" and not view[name]["sessions"] + view[name]["queue"]
            for view in views.values()
            for name in batch
        )

    def _weights(self, servers, share):
        """A share of each server's weight as it was before the rollout, at every balancer."""
        found = {}
        for name in servers:
            for balancer, prior in self.run["prior"].get(name, {}).items():
                found.setdefault(balancer, {})[name] = max(1, round(prior["weight"] * share / 100))
        return found

    def _questions(self, staged):
        """What proves each node's releases; the balancers' timers ask it when nobody else can.

        Nodes that had not both releases when they were looked at (`staged`) are asked again. Raises Refused.
        """
        nodes = [node for batch in self.plan["batches"] for node in batch]
        wanted = {node: (self.plan["release"], self.plan["previous"][node]) for node in nodes}
        found = {node: dict(staged.get(node) or {}) for node in wanted}
        late = [node for node, names in wanted.items() if not {name for name in names if name} <= set(found[node])]
        for node, pulse in self.fleet.run(self.crew.pulse_calls(late)).items():
            trouble = problem(pulse, "questions")
            if trouble:
                raise Refused("{0}: {1}. Nothing was changed.".format(node, trouble))
            found[node] = pulse["questions"]
        return {node: {name: asked for name, asked in found[node].items() if name in wanted[node]} for node in wanted}

    def _load_keys(self, loads):
        """Seconds to readiness under the names by which they are learned: node, model and class of node."""
        return {"{0}|{1}".format(node, self._load_key(node)): seconds for node, seconds in loads.items()}

    def _load_key(self, node):
        values = self.crew.hostvars[node]
        model = values["model_server_releases"][self.plan["release"]]["model"]
        return "{0} {1}".format(model, values.get("model_server_node_class", "any"))

    def _learned(self, records):
        """What loading took in earlier runs, by the names under which it is learned."""
        keys = {self._load_key(node) for batch in self.plan["batches"] for node in batch}
        earlier = [record for record in records if record.run != self.run["id"]]
        return {key: load_seconds(earlier, key) for key in sorted(keys)}

    def _load_gates(self, loads):
        return [
            load_time_gate(
                seconds,
                self.run["learned"].get(self._load_key(node), []),
                self.policy["load_time_factor"],
                LOAD_FLOOR_S,
            )
            for node, seconds in sorted(loads.items())
        ]


class _Alive(Heartbeat):
    """A heartbeat that, at its end, says whether this controller still holds the pool."""

    def __exit__(self, kind, *rest):
        super().__exit__(kind, *rest)
        if kind is None:
            self.check()


def new_run(pool, answer, settings):
    """The identity of a run: who, when, what. `settings`: ledger_hosts and events_folder."""
    owner = "{0}@{1} pid {2}".format(getpass.getuser(), platform.node(), os.getppid())
    token = secrets.token_hex(2)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return {
        "id": answer["run"] or "{0}-{1}-{2}-{3}".format(stamp, pool, answer["plan"]["release"], token),
        "pool": pool,
        "owner": "{0} ({1})".format(owner, token),
        "plan": answer["plan"],
        "policy": answer["policy"],
        "balancers": list(answer["plan"]["balancers"]),
        "spent": answer["spent"],
        "prior": dict(answer["prior"]),
        "loads": {},
        "absent": [],
        "fence": 0,
        "seq": None,
        **settings,
    }


def _states(views, batch):
    """Admin state and weight of a batch as found: {server: {balancer: {state, weight}}}."""
    return {
        name: {
            balancer: {"state": view[name]["state"], "weight": view[name]["weight"]}
            for balancer, view in views.items()
            if name in view
        }
        for name in batch
    }


def _short(verdicts):
    """Verdicts for the journal: without the evidence's bulk."""
    return [{key: verdict[key] for key in ("gate", "verdict", "reason")} for verdict in verdicts]

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool with its balancers, nodes and ledger hosts, played in memory; ledgers are real ones, in folders."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from types import SimpleNamespace

from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger import store as store_module
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.lease import Moment
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.quorum import copy_from, settle
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.store import Store
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout import policy as policies
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.plan import BalancerView, Node
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.request import Request, answer
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils import bake, events, journal, steps

NAMESPACE = "steadfast.ai_platform."
AWAY = {"unreachable": True, "msg": "no route to host"}


class Killed(BaseException):
    """The controller dies here: nothing catches it, nothing is tidied up."""


class Clock:
    """Seconds that pass when somebody sleeps, the same for everybody."""

    def __init__(self, monkeypatch):
        self.at = 1000.0
        # No machine loses power here, and a thousand records are to be written.
        monkeypatch.setattr(store_module.os, "fsync", lambda _handle: None)
        monkeypatch.setattr(store_module, "now", lambda: Moment(self.at, "boot"))
        for module in (journal, steps):
            monkeypatch.setattr(module, "boottime", lambda: self.at)
        played = SimpleNamespace(monotonic=lambda: self.at, time=lambda: 1.7e9 + self.at, sleep=self.sleep)
        for module in (bake, events):
            monkeypatch.setattr(module, "time", played)

    def sleep(self, seconds):
        """Time passes."""
        self.at += seconds


class LedgerHosts:
    """Ledger hosts as a fleet reaches them. `away` do not hear; of `deaf` the answer is lost, the act was done."""

    def __init__(self, folder, names=("lb1", "lb2", "witness")):
        self.names = list(names)
        self.folder = folder
        self.away, self.deaf = set(), set()
        self.between = []
        self.calls = []

    def store(self, host, pool="serving"):
        """A host's copy on disk."""
        return Store(str(self.folder / host), pool)

    def everywhere(self, hosts, module, arguments):
        """As Fleet does."""
        return self.run({host: (module, dict(arguments)) for host in hosts})

    def run(self, calls):
        """As Fleet does. A function in `between` is called once, before the calls that follow."""
        if self.between:
            self.between.pop(0)()
        self.calls += [(host, module.removeprefix(NAMESPACE), arguments) for host, (module, arguments) in calls.items()]
        return {host: self.answer(host, module, arguments) for host, (module, arguments) in calls.items()}

    def series(self, calls):
        """As Fleet does, one host after the other."""
        return {host: [self.run({host: call})[host] for call in asked] for host, asked in calls.items()}

    def answer(self, host, module, arguments):
        """One host's answer, by way of JSON as from a module."""
        if host in self.away:
            return dict(AWAY)
        arguments = json.loads(json.dumps(arguments))
        name = module.removeprefix(NAMESPACE)
        try:
            result = getattr(self, name.replace(".", "_"))(host, **arguments)
        except PlatformError as error:
            result = {"failed": True, "msg": error.message, **error.evidence}
        return dict(AWAY) if host in self.deaf else json.loads(json.dumps(result))

    def rollout_ledger_info(self, host, pool):
        """As the module of this name."""
        store = self.store(host, pool)
        lease, (records, torn) = store.lease(), store.records()
        left = lease.left(store_module.now())
        return {
            "lease": {"fence": lease.fence, "owner": lease.owner, "run": lease.run, "left": left},
            "journal": [record.line() for record in records],
            "torn": torn,
        }

    def rollout_ledger(self, host, pool, action, owner, fence, run="", ttl=60, records=None):
        """As the module of this name."""
        store = self.store(host, pool)
        if action == "release":
            store.release(owner, fence)
            return {"changed": True, "left": 0.0}
        if action == "take":
            lease = store.take(owner, run, fence, ttl, records)
        else:
            lease = store.append(owner, fence, ttl, records or [])
        return {"changed": True, "left": lease.left(store_module.now())}

    def ledger(self, excluded=()):
        """What the hosts say together."""
        found = self.everywhere(self.names, NAMESPACE + "rollout_ledger_info", {"pool": "serving"})
        return settle({host: copy_from(result) for host, result in found.items()}, excluded)

    def events(self, excluded=()):
        """What is in the journal: (event, data) each."""
        return [(record.event, record.data) for record in self.ledger(excluded).records]


def new_run(hosts, owner="alice", **policy):
    """A run as `open` makes it, as far as its journal needs it."""
    return {
        "id": f"run of {owner}",
        "pool": "serving",
        "owner": owner,
        "fence": 0,
        "seq": None,
        "ledger_hosts": list(hosts.names),
        "policy": policies.settle(policy, 3).to_dict(),
    }


class World(LedgerHosts):
    """Everything a rollout touches. `wrong` holds results in place of those of (host, module); `dies_after` records.

    Servers count 100 requests between any two looks, of which those on a release in `bad` lose a third.
    """

    def __init__(self, folder, nodes=3, ledger=("lb1", "lb2", "witness"), ramp=0):
        super().__init__(folder, ledger)
        self.nodes = [f"gpu{n}" for n in range(1, nodes + 1)]
        self.active = dict.fromkeys(self.nodes, "r1")
        self.servers = {
            name: {node: {"state": "ready", "weight": 100, "requests": 0, "errors": 0} for node in self.nodes}
            for name in ("lb1", "lb2")
        }
        self.bad, self.wrong = set(), {}
        self.dies_after, self.appended = None, 0
        self.log = []
        self.least = nodes

    def run(self, calls):
        """As Fleet does; the controller may die after an append that every host has heard."""
        results = super().run(calls)
        if any(arguments.get("records") and arguments["action"] == "append" for _module, arguments in calls.values()):
            self.appended += 1
            if self.appended == self.dies_after:
                raise Killed
        return results

    def answer(self, host, module, arguments):
        """Something prepared, or what the host does."""
        name = module.removeprefix(NAMESPACE)
        if (host, name) in self.wrong:
            prepared = self.wrong[(host, name)]
            if callable(prepared):
                prepared = prepared(arguments)
            if prepared is not None:
                return dict(prepared)
        return super().answer(host, module, arguments)

    # --- Balancers ----------------------------------------------------------------------------------------------

    def haproxy_info(self, host, backend, socket=None):
        """The pool, after some more traffic."""
        views = {}
        for name, server in self.servers[host].items():
            if server["state"] == "ready":
                server["requests"] += 100
                server["errors"] += 33 if self.active[name] in self.bad else 0
            views[name] = self.view(server)
        return {"backends": {backend: views}}

    @staticmethod
    def view(server):
        """One server as the module shows it."""
        up = server["state"] == "ready"
        counters = {"worker": 20, "requests": server["requests"], "errors": server["errors"], "downs": 0}
        return {
            "state": server["state"], "weight": server["weight"], "up": up, "status": "UP" if up else "MAINT",
            "check": "L7OK", "sessions": 0, "queue": 0, "counters": {**counters, "response_ms": 20, "queue_ms": 0},
        }  # fmt: skip

    def haproxy_server(self, host, backend, servers, state=None, weight=None, **more):
        """Does what it is told, and notes it."""
        assert backend == "serving"
        for name in servers:
            self.servers[host][name]["state"] = state
            if weight is not None:
                self.servers[host][name]["weight"] = weight
            self.log.append((state, name, host, weight))
        if more.get("wait") == "drained":
            assert more["deadline"] > 0
        up = [node for node in self.nodes if all(view[node]["state"] == "ready" for view in self.servers.values())]
        self.least = min(self.least, len(up))
        return {"changed": True, "open_requests": 0}

    # --- Nodes --------------------------------------------------------------------------------------------------

    def model_release(self, host, name, **_more):
        """Switches what does not serve it already; only ever a server that is out of traffic at every balancer."""
        states = {view[host]["state"] for view in self.servers.values()}
        if self.active[host] == name and states != {"maint"}:
            return {"changed": False, "proof": []}
        assert states <= {"maint", "drain"}, f"{host} is in traffic"
        self.active[host] = name
        self.log.append(("activate", host, name, None))
        return {"changed": True, "proof": [], "seconds_to_ready": 2.5}

    def model_release_info(self, host, **_more):
        """What runs, and how to ask it."""
        asked = {name: {"model": "tiny", "identity": f"tiny@{name}"} for name in ("r1", "r2")}
        return {"active": self.active[host], "running": True, "restarts": 0, "questions": asked}

    def model_probe(self, host, count=0, **_more):
        """Answers."""
        return {"changed": False, "answers": {"requests": count, "errors": 0}}

    # --- Whoever rolls ------------------------------------------------------------------------------------------

    def hostvars(self):
        """The inventory's variables."""
        node = {"model_server_port": 8000, "model_server_releases": {name: {"model": "tiny"} for name in ("r1", "r2")}}
        return {**dict.fromkeys(self.nodes, node), **{name: {} for name in (*self.servers, "witness")}}

    def ask(self, mode="start", release="r2", **policy):
        """What rollout_plan answers now, as the playbook hands it on."""
        identities = {name: f"tiny@{name}" for name in ("r1", "r2")}
        nodes = [Node(name, self.active[name], identities=identities) for name in self.nodes]
        views = [
            BalancerView(name, {node: (each["state"], each["state"] == "ready") for node, each in servers.items()},
                         holder=name == "lb1")
            for name, servers in self.servers.items()
        ]  # fmt: skip
        asked = {"min_requests": 0, "bake_time": 0, "max_bake_time": 0, **policy}
        found = answer(Request(mode, "serving", release, asked), nodes, views, self.ledger())
        return json.loads(json.dumps(asdict(found)))


class Roller:
    """Does what playbooks/tasks/roll.yml does: every step a task of its own, its results through JSON."""

    def __init__(self, world, folder, monkeypatch):
        self.world, self.folder = world, folder
        self.said = []
        monkeypatch.setattr(steps, "Fleet", lambda _action, _task_vars: world)

    def steps(self, run):
        """The steps as one task has them."""
        action = SimpleNamespace(_display=SimpleNamespace(display=self.said.append))
        return steps.Steps(action, {"hostvars": self.world.hostvars()}, run)

    def roll(self, answered, staged=None):
        """A whole run, `staged` as a look found it. Returns (outcome, reason, quarantined)."""
        settings = {"ledger_hosts": list(self.world.names), "events_folder": str(self.folder)}
        run = steps.new_run(answered["plan"]["pool"], answered, settings)
        opening = self.steps(run)
        opening.open(dict(answered, mode="resume" if answered["run"] else "start"), staged or {})
        now = {"run": self.kept(opening)}
        before = copy.deepcopy(now["run"])
        try:
            if answered["reason"]:
                raise PlatformError(answered["reason"])
            here = self.steps(now["run"])
            here.forward(answered["forward"])
            self.steps(self.kept(here)).close("succeeded")
        except PlatformError as error:
            return self.take_back(before, error.evidence.get("batch", 0), error)
        return "succeeded", "", {}

    def take_back(self, run, index, error):
        """The rescue."""
        here = self.steps(run)
        left = here.fail(index, error.message, error.evidence.get("verdicts", []))
        lost = here.take_back(left)
        outcome = "failed" if lost else "reverted" if left.reverting else "stopped"
        here.close(outcome, error.message)
        return outcome, error.message, lost

    @staticmethod
    def kept(here):
        """What the action returns for the next step."""
        return json.loads(json.dumps(dict(here.run, seq=here.journal.seq)))

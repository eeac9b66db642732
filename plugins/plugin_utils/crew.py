# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a rollout and what each is asked to do: one module call is one step, whole, on one host."""

from __future__ import annotations

from ..module_utils.errors import PlatformError, Refused, Unreadable
from ..module_utils.rollout.found import problem

NAMESPACE = "steadfast.ai_platform."


class Crew:
    """Balancers and model servers of one pool.

    Args:
        fleet: reaches them.
        run: the rollout; its `balancers` stand in the order of draining, standby first.
        hostvars: the inventory's variables, from which the roles' settings are read.
    """

    def __init__(self, fleet, run, hostvars):
        self.fleet = fleet
        self.pool = run["pool"]
        self.balancers = run["balancers"]
        self.policy = run["policy"]
        self.hostvars = {name: Once(hostvars, name) for name in hostvars}
        # Balancers that fell silent in the middle of a batch; the batch goes on without them, the next one does not.
        self.absent = run["absent"]

    def views(self):
        """The pool at every balancer: {balancer: {server: view}}. Raises Unreadable for one that is silent."""
        found = self.look()
        silent = {name: why for name, why in found.items() if isinstance(why, str)}
        if silent:
            raise Unreadable(
                "; ".join(
                    "{0} cannot be read ({1}), and without it redundancy is gone".format(*item)
                    for item in silent.items()
                )
                + ". To go on without it: balancers_excluded"
            )
        return found

    def look(self):
        """As `views`, with the reason in place of the view for a balancer that is silent."""
        results = self.fleet.run(self.look_calls(self.balancers))
        return {name: self.read_view(result) for name, result in results.items()}

    def look_calls(self, balancers=None):
        """The calls that read the pool at every balancer that is there."""
        arguments = {"backend": self.pool}
        names = self.present() if balancers is None else balancers
        return {name: (NAMESPACE + "haproxy_info", dict(self._balancer(name), **arguments)) for name in names}

    def present(self):
        """Balancers that have not fallen silent."""
        return [name for name in self.balancers if name not in self.absent]

    def read_view(self, result):
        """A balancer's answer: its servers, or why there are none."""
        trouble = problem(result, "backends")
        return trouble or result["backends"].get(self.pool, {})

    def drain(self, balancers, servers, floor):
        """Out of new traffic at these balancers; refused where that would cross the capacity floor."""
        self._servers(
            balancers,
            servers,
            state="drain",
            min_available=floor,
            capacity_deadline=self.policy["capacity_deadline"],
        )

    def park(self, servers, on_deadline, floor=0):
        """Wait at every balancer until nothing runs, then maintenance.

        Returns the requests still open at the deadline, and the seconds that it took until nothing ran.
        """
        results = self._servers(
            self.present(),
            servers,
            state="maint",
            wait="drained",
            deadline=self.policy["drain_deadline"],
            on_deadline=on_deadline,
            min_available=floor,
            capacity_deadline=self.policy["capacity_deadline"],
        )
        found = results.values()
        cut = max((int(result.get("open_requests") or 0) for result in found), default=0)
        return cut, max((float(result.get("seconds_to_drain") or 0) for result in found), default=0.0)

    def admit(self, weights):
        """Back into traffic by probation at every balancer. `weights`: {balancer: {server: weight}}."""
        wanted = {"state": "ready", "wait": "healthy", "deadline": self.policy["healthy_deadline"]}
        waves = []
        for balancer, servers in weights.items():
            # One call sets one weight; most often that is all there is.
            for number, weight in enumerate(sorted(set(servers.values()))):
                names = [name for name, value in servers.items() if value == weight]
                waves += [{}] if number == len(waves) else []
                waves[number][balancer] = self._server_call(balancer, names, weight=weight, **wanted)
        for wave in waves:
            calls = {balancer: call for balancer, call in wave.items() if balancer not in self.absent}
            self._expect(self.fleet.run(calls))

    def isolate(self, servers):
        """Maintenance at every balancer, at once. Balancers that cannot be reached are returned with the reason."""
        calls = {name: self._server_call(name, servers, state="maint") for name in self.balancers}
        results = self.fleet.run(calls)
        return {name: self._reason(result) for name, result in results.items() if self._reason(result)}

    def activate(self, releases, parked=True):
        """Switch nodes to releases: {node: release}. Returns every node's result, failed ones too.

        Balancers at which they are parked check them again meanwhile (`drain`, where `maint` does not), so that they
        know soon when the engine is there. One that does not hear it is told when the nodes are admitted.
        """
        calls = {node: [self._activation(node, release)] for node, release in releases.items()}
        for balancer in self.present() if parked else ():
            calls.setdefault(balancer, []).append(self._server_call(balancer, releases, state="drain"))
        results = self.fleet.series(calls)
        return {node: results[node][0] for node in releases}

    def _activation(self, node, release):
        options = dict(self._node(node), name=release, state="active", port=self._port(node), **self._engine(node))
        return NAMESPACE + "model_release", options

    def pulse_calls(self, nodes):
        """The calls that ask nodes what runs and how busy it is."""
        return {
            node: (NAMESPACE + "model_release_info", dict(self._node(node), port=self._port(node))) for node in nodes
        }

    def probe(self, nodes, release, count=0):
        """One completion more, and `count` beyond it, on each node's own port. Returns every node's result."""
        return self.fleet.run(
            {
                node: (
                    NAMESPACE + "model_probe",
                    dict(
                        url="http://127.0.0.1:{0}".format(self._port(node)),
                        model=self.hostvars[node]["model_server_releases"][release]["model"],
                        count=count,
                        deadline=10,
                        **self._engine(node),
                    ),
                )
                for node in nodes
            }
        )

    def _servers(self, balancers, servers, **wanted):
        """Ask these balancers at once for one state of servers. Raises PlatformError with the first refusal."""
        calls = {name: self._server_call(name, servers, **wanted) for name in balancers}
        return self._expect(self.fleet.run(calls))

    def _server_call(self, balancer, servers, **wanted):
        arguments = dict(self._balancer(balancer), backend=self.pool, servers=list(servers), **wanted)
        state_file = self.hostvars[balancer].get("load_balancer_state_file")
        if state_file:
            arguments["state_file"] = state_file
        return NAMESPACE + "haproxy_server", arguments

    def _expect(self, results):
        """The results of those that answered. Raises PlatformError for a refusal, and when nobody answered."""
        bad = {name: self._reason(result) for name, result in results.items() if self._reason(result)}
        silent = [name for name in bad if _silent(results[name])]
        if bad and (len(silent) < len(bad) or len(silent) == len(results)):
            kind = Refused if all("min_available" in results[name] for name in bad) else PlatformError
            raise kind("; ".join("{0}: {1}".format(*item) for item in sorted(bad.items())), hosts=bad)
        self.absent += [name for name in silent if name not in self.absent]
        return {name: result for name, result in results.items() if name not in silent}

    @staticmethod
    def _reason(result):
        if result.get("unreachable"):
            return "unreachable ({0})".format(str(result.get("msg", "")).strip()[:300])
        if result.get("failed"):
            said = " ".join(str(result.get(key) or "") for key in ("module_stderr", "module_stdout")).split()
            return str(result.get("msg") if not said else " ".join(said))[:600]
        return ""

    def _balancer(self, name):
        return balancer_options(self.hostvars[name])

    def _node(self, name):
        return node_options(self.pool, self.hostvars[name])

    def _port(self, name):
        return int(self.hostvars[name]["model_server_port"])

    def _engine(self, name):
        values = self.hostvars[name]
        found = {"timeout": values.get("model_server_probe_timeout"), "api_key": values.get("model_server_api_key")}
        return {key: value for key, value in found.items() if value}


class Once:
    """One host's variables, each templated when it is first read: that takes long, and a rollout reads them often."""

    def __init__(self, hostvars, name):
        self._hostvars, self._name, self._read = hostvars, name, {}

    def get(self, key, default=None):
        """As a mapping's."""
        if key not in self._read:
            self._read[key] = self._hostvars[self._name].get(key)
        return default if self._read[key] is None else self._read[key]

    def __getitem__(self, key):
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value


def balancer_options(values):
    """Where a balancer's variables say that its HAProxy listens."""
    socket = values.get("load_balancer_master_socket")
    return {"socket": socket} if socket else {}


def node_options(pool, values):
    """Where a node's variables say that the pool's releases and unit are."""
    root = values.get("model_server_root")
    return {"pool": pool, "unit": "model-server-{0}.service".format(pool), **({"root": root} if root else {})}


def _silent(result):
    """True when no module answered: the host is gone, or its connection."""
    return bool(result.get("unreachable")) or "module_stderr" in result or "module_stdout" in result

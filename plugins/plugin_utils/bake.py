# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches a batch under real traffic: collects evidence from balancers, nodes and Prometheus, and asks the gates."""

from __future__ import annotations

import json
import time
from urllib.parse import urlencode

from ..module_utils.errors import PlatformError
from ..module_utils.rollout import metric_gates, traffic_gates
from ..module_utils.rollout.evidence import Reading, Window
from ..module_utils.rollout.found import problem
from ..module_utils.rollout.gate import Limits, Verdict, failed, overall, passed, unclear

URI = "ansible.builtin.uri"
COMMAND = "ansible.builtin.command"


class Bake:
    """One batch, from its admission to a verdict.

    Args:
        crew: the hosts.
        run: the rollout.
        batch: names of the batch's nodes.
        release: what they run.
        tell: called with (event, data) for whoever watches.
    """

    def __init__(self, crew, run, batch, release, tell):
        self.crew, self.run, self.batch, self.release, self.tell = crew, run, batch, release, tell
        self.policy = run["policy"]
        self.limits = Limits.of(self.policy)
        self.window = Window()
        self.seen, self.pulses, self.samples = {}, {}, {node: [] for node in batch}
        self.restarts = {}
        self.asked = {"requests": 0, "errors": 0}
        self.proved = False
        self.began = time.monotonic()

    def watch(self, ramp, seconds, longest, check):
        """Look until the bake is over. `ramp`: functions that raise the weight, spread over the bake.

        Returns (overall verdict, all verdicts). `check` raises when this controller must not go on.
        Raises PlatformError when a node's own port does not prove the release at the end.
        """
        pause = min(5.0, max(1.0, seconds / 8))
        due = [self.began + seconds * (number + 1) / (len(ramp) + 1) for number in range(len(ramp))]
        self.began = time.monotonic()
        while True:
            looked = time.monotonic()
            self.look()
            check()
            verdicts = self.judge()
            worst = overall(verdicts)
            passed_s = time.monotonic() - self.began
            took = time.monotonic() - looked
            if not ramp and 0 < seconds - passed_s < took:
                # The last look began before the end, so that it costs no time; the batch still bakes to the end.
                time.sleep(seconds - passed_s)
                passed_s = seconds
            self._tell(verdicts, worst, seconds, longest, passed_s)
            if worst.verdict == "fail":
                return worst, verdicts
            while due and time.monotonic() >= due[0]:
                due.pop(0)
                ramp.pop(0)()
            if passed_s >= seconds and not ramp:
                verdicts += self.ask_others()
                worst = overall(verdicts)
                if worst.verdict != "inconclusive" or passed_s >= longest:
                    if not self.proved:
                        self._prove()
                    return worst, verdicts
            if seconds - passed_s <= pause and not ramp:
                # Before the last look, as above.
                self._prove()
            rest = pause - (time.monotonic() - looked)
            if passed_s < seconds:
                rest = min(rest, self.began + seconds - took - time.monotonic())
            time.sleep(max(0.05, rest))

    def look(self):
        """Read balancers and nodes once, at the same time."""
        calls = {**self.crew.look_calls(), **self.crew.pulse_calls(self.batch)}
        results = self.crew.fleet.run(calls)
        self.seen = {name: self.crew.read_view(results[name]) for name in self.crew.present()}
        self.pulses = {name: results[name] for name in self.batch}
        for balancer, view in self.seen.items():
            if not isinstance(view, str):
                self._count(balancer, view)
        at = time.monotonic()
        for name, pulse in self.pulses.items():
            load = pulse.get("load") or {}
            if load.get("running") is not None:
                self.samples[name].append((at, load["running"], 0, load.get("progress")))
        self._ask_ourselves()

    def judge(self):
        """The verdicts on what was seen so far."""
        new, peers = self.window.totals(self.batch), self.window.totals(self._peers())
        requests, errors = new.requests + self.asked["requests"], new.errors + self.asked["errors"]
        mine = type(new)(requests, errors, new.downs, new.response_ms)
        downs = {name: self.window.totals([name]).downs for name in self.batch}
        spent = self.spent()
        return [
            self._local(),
            traffic_gates.balancer_gate(self._checked(), self.batch, downs),
            traffic_gates.error_gate(mine, peers, self.limits),
            self._latency(new, peers),
            traffic_gates.budget_gate(spent["errors"], spent["requests"], self.limits),
            *(self._progress(name) for name in self.batch),
            metric_gates.gpu_gate([]),
        ]

    def spent(self):
        """Requests and errors of changed servers over the whole rollout, this batch too."""
        new, before = self.window.totals(self.batch), self.run.get("spent") or {}
        return {
            "requests": new.requests + self.asked["requests"] + before.get("requests", 0),
            "errors": new.errors + self.asked["errors"] + before.get("errors", 0),
        }

    def ask_others(self):
        """Verdicts of Prometheus and of the operator's own checks."""
        verdicts = []
        for query in self.policy["prometheus_queries"]:
            reply = self._prometheus("/api/v1/query", query=str(query.get("query", "")))
            now = time.time()
            verdicts.append(metric_gates.prometheus_gate(query, reply, now, self.policy["prometheus_max_age"]))
        if self.policy["prometheus_alerts_pool"]:
            pool = self.policy["prometheus_alerts_pool"]
            verdicts.append(metric_gates.alerts_gate(self._prometheus("/api/v1/alerts"), pool))
        for gate in self.policy["custom_gates"]:
            verdicts.append(self._custom(gate))
        return verdicts

    def _peers(self):
        """Servers still on the release from before; when there are none, those that were verified earlier."""
        names = {name for view in self.seen.values() if not isinstance(view, str) for name in view} - set(self.batch)
        old = names - {name for batch in self.run["plan"]["batches"] for name in batch if self._changed(batch)}
        return sorted(old or names)

    def _changed(self, batch):
        """True for this batch and those before it: batches go in the order of the plan."""
        batches = self.run["plan"]["batches"]
        return batches.index(batch) <= batches.index(self.batch)

    def _count(self, balancer, view):
        readings = {}
        for name, server in view.items():
            try:
                readings[name] = Reading.of(server.get("counters") or {})
            except PlatformError:
                self.seen[balancer] = "its counters cannot be understood"
                return
        self.window.add(balancer, readings)

    def _checked(self):
        return {
            balancer: view
            if isinstance(view, str)
            else {name: dict(server, check_status=server.get("check", "")) for name, server in view.items()}
            for balancer, view in self.seen.items()
        }

    def _local(self):
        """Unit active, not restarted, and on the intended release, at every node."""
        for name, pulse in self.pulses.items():
            trouble = problem(pulse, "active")
            if trouble:
                return unclear("local", "{0} cannot be looked at: {1}".format(name, trouble))
            first = self.restarts.setdefault(name, pulse["restarts"])
            if not pulse["running"]:
                return failed("local", "the engine of {0} does not run".format(name))
            if pulse["restarts"] > first:
                return failed("local", "the engine of {0} died and was started anew".format(name))
            if pulse["active"] != self.release:
                return failed("local", "{0} is on {1}, not on {2}".format(name, pulse["active"], self.release))
        return passed("local", "every engine runs {0}".format(self.release))

    def _latency(self, new, peers):
        if new.requests < self.limits.min_requests and self.asked["requests"]:
            return passed("latency", "not judged: too little traffic of users")
        if not self.limits.min_requests and not new.requests:
            return passed("latency", "not judged: no request is asked for")
        return traffic_gates.latency_gate(new, peers, self.limits)

    def _progress(self, name):
        if not self.samples[name]:
            return passed("progress", "the engine of {0} does not say how busy it is".format(name))
        return metric_gates.progress_gate(self.samples[name], self.policy["stall_seconds"])

    def _ask_ourselves(self):
        """Where users send too little, send something: it is counted with theirs."""
        rate = int(self.policy["synthetic_requests"])
        enough = self.window.totals(self.batch).requests + self.asked["requests"] >= self.limits.min_requests
        if not rate or enough or time.monotonic() - self.began < self.policy["bake_time"] / 2:
            return
        for result in self.crew.probe(self.batch, self.release, count=rate).values():
            answers = result.get("answers") or {"requests": 1, "errors": 1}
            for key in self.asked:
                self.asked[key] += int(answers[key])

    def _prove(self):
        """One more completion on each node's own port: what served when it was admitted may not serve now."""
        for node, result in self.crew.probe(self.batch, self.release).items():
            if result.get("failed") or result.get("unreachable"):
                raise PlatformError("{0} at the end of the bake: {1}".format(node, result.get("msg")))
        self.proved = True

    def _prometheus(self, path, **query):
        url = "{0}{1}{2}".format(
            self.policy["prometheus_url"].rstrip("/"), path, "?" + urlencode(query) if query else ""
        )
        return self._fetch(url)

    def _fetch(self, url):
        result = self.crew.fleet.run(
            {
                "localhost": (
                    URI,
                    {"url": url, "return_content": True, "timeout": 10, "status_code": [200, 400, 422, 503]},
                )
            }
        )["localhost"]
        if "content" not in result:
            return "{0}: {1}".format(url, str(result.get("msg", "no answer"))[:300])
        try:
            return json.loads(result["content"])
        except (ValueError, RecursionError):
            return "{0} did not answer JSON".format(url)

    def _custom(self, gate):
        if gate.get("url"):
            call = (URI, {"url": gate["url"], "timeout": 30})
        else:
            call = (COMMAND, {"_raw_params": str(gate.get("command", "")), "_uses_shell": False})
        result = self.crew.fleet.run({"localhost": call})["localhost"]
        return metric_gates.custom_gate(str(gate.get("name", "custom")), result)

    def _tell(self, verdicts, worst, seconds, longest, passed_s):
        new = self.window.totals(self.batch)
        numbers = {"requests": new.requests + self.asked["requests"], "errors": new.errors + self.asked["errors"]}
        if new.response_ms is not None:
            numbers["response_ms"] = round(new.response_ms)
        waits = "bake" if passed_s < seconds else worst.reason
        left = (seconds if passed_s < seconds else longest) - passed_s
        self.tell("waiting", gate=waits, numbers=numbers, left_s=round(max(0.0, left), 1))
        self.tell("traffic", servers={name: self._row(name) for name in [*self.batch, *self._peers()]})

    def _row(self, name):
        totals = self.window.totals([name])
        states = [view[name]["status"] for view in self.seen.values() if not isinstance(view, str) and name in view]
        return {
            "requests": totals.requests,
            "errors": totals.errors,
            "response_ms": totals.response_ms,
            "status": "/".join(sorted(set(states))) or "unknown",
            "release": self.release if name in self.batch else None,
        }


def verdict_dicts(verdicts):
    """Verdicts as journal and report take them."""
    return [verdict.to_dict() for verdict in verdicts if isinstance(verdict, Verdict)]

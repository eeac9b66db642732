# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: build the platform, roll a release under load, refuse a bad one, lose a balancer."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from pathlib import Path
from typing import Any

from . import engine, models
from .containers import Lab
from .load import LoadRun
from .load_loop import Plan
from .settings import ROOT, LabError, say

OUT = ROOT / "build" / "demo"
GAP_LIMIT_S = 1.0


class Demo:
    """One run of the story; what it measures gathers in `report`."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.url = f"http://{lab.virtual_ip}:8080"
        self.report: dict[str, Any] = {"seconds": {}, "load": {}, "problems": []}

    def playbook(self, step: str, *arguments: str, fails: bool = False) -> None:
        """Run a playbook in front of the reader, timed. Raises LabError when it ends otherwise than it should."""
        say(f"{step}: ansible-playbook {' '.join(arguments)}")
        began = time.monotonic()
        code = self.lab.playbook(*arguments, capture_output=False).returncode
        self.report["seconds"][step] = round(time.monotonic() - began, 1)
        if (code != 0) is not fails:
            raise LabError(f"{step} ended with status {code}, which it should not")

    def under_load(self, step: str, act: Any, settle: float = 5.0) -> dict[str, Any]:
        """Do something while clients send; return what became of every request."""
        plan = Plan(
            url=self.url,
            name=step,
            rate=float(os.environ.get("DEMO_RATE", "100")),
            streams=int(os.environ.get("DEMO_STREAMS", "8")),
            model="tiny",
        )
        with LoadRun(plan, OUT / f"load-{step}.json", OUT / f"load-{step}.log") as load:
            time.sleep(settle)
            act()
            time.sleep(settle)
            say("waiting for the last streams")
            result = load.stop()
        self.report["load"][step] = result
        return result

    def expect(self, good: bool, problem: str) -> None:
        """Note a problem unless all is good."""
        if not good:
            self.report["problems"].append(problem)

    def lost_nothing(self, step: str, result: dict[str, Any]) -> None:
        """No request failed and no stream was cut."""
        self.expect(result["requests"]["failed"] == 0, f"{step}: {result['requests']['failed']} requests were lost")
        self.expect(result["streams"]["cut"] == 0, f"{step}: {result['streams']['cut']} streams were cut")

    def releases(self) -> dict[str, str]:
        """The active release of every node."""
        pool = "/srv/models/serving/current"
        nodes = [host.name for host in self.lab.hosts.values() if "serving" in host.groups]
        return {node: self.lab.exec(node, ["readlink", pool]).stdout.strip().rpartition("/")[2] for node in nodes}

    def holder(self) -> str:
        """The balancer that has the virtual IP."""
        for host in ("lb1", "lb2"):
            if f"{self.lab.virtual_ip}/" in self.lab.exec(host, ["ip", "-4", "address", "show"]).stdout:
                return host
        raise LabError("no balancer holds the virtual IP")

    def completion(self) -> None:
        """One real answer through the virtual IP."""
        body = json.dumps({"model": "tiny", "prompt": "Hello", "max_tokens": 16, "temperature": 0}).encode()
        request = urllib.request.Request(self.url + "/v1/completions", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = json.load(answer)["choices"][0]["text"]
            self.report["completion"] = {"text": text, "server": answer.headers["X-Served-By"]}
        say(f"a completion through {self.url}, from {self.report['completion']['server']}: Hello{text}")

    def roll(self) -> None:
        """r1 to r2, then a release that cannot be loaded, both under load."""
        deploy = ("playbooks/rolling_deploy.yml", "-e", "pool=serving", "-e")
        self.lost_nothing("r2", self.under_load("r2", lambda: self.playbook("roll to r2", *deploy, "release=r2")))
        refuse = self.under_load(
            "r3-broken", lambda: self.playbook("refuse r3-broken", *deploy, "release=r3-broken", fails=True)
        )
        self.lost_nothing("r3-broken", refuse)
        self.report["releases"] = self.releases()
        self.expect(
            set(self.report["releases"].values()) == {"r2"}, f"not every node is on r2: {self.report['releases']}"
        )

    def lose_a_balancer(self) -> None:
        """Take the power of the balancer that serves."""
        holder = self.holder()
        say(f"taking the power of {holder}, which has the virtual IP")
        result = self.under_load("takeover", lambda: self.lab.kill(holder))
        self.lab.start(holder)
        self.report["takeover"] = {"killed": holder, "now": self.holder(), "longest_gap_s": result["longest_gap_s"]}
        gap = result["longest_gap_s"]
        self.expect(gap is not None and gap < GAP_LIMIT_S, f"the longest gap was {gap} s, the limit is {GAP_LIMIT_S} s")

    def table(self) -> str:
        """The numbers on one screen."""
        lines = [
            f"{'':12} {'requests':>9} {'failed':>7} {'p50 ms':>8} {'p99 ms':>8} {'streams':>8} {'cut':>4} {'gap s':>6}"
        ]
        for step, load in self.report["load"].items():
            requests, streams, gap = load["requests"], load["streams"], load["longest_gap_s"]
            lines.append(
                f"{step:12} {requests['sent']:9} {requests['failed']:7} {requests['latency_ms']['p50']:8.0f} "
                f"{requests['latency_ms']['p99']:8.0f} {streams['started']:8} {streams['cut']:4} {gap:6.2f}"
            )
        lines += [f"{step}: {seconds} s" for step, seconds in self.report["seconds"].items()]
        return "\n".join([*lines, *(f"PROBLEM {problem}" for problem in self.report["problems"])])


def run() -> int:
    """Run the story. Exit status 1 when a request was lost where none may be."""
    lab = Lab.from_env()
    OUT.mkdir(parents=True, exist_ok=True)
    engine.ensure(lab.client)
    models.ensure()
    lab.up()
    demo = Demo(lab)
    demo.playbook("site", "playbooks/site.yml")
    if set(demo.releases().values()) != {"r1"}:
        demo.playbook("back to r1", "playbooks/rolling_deploy.yml", "-e", "pool=serving", "-e", "release=r1")
    demo.completion()
    demo.roll()
    demo.lose_a_balancer()
    path: Path = OUT / "report.json"
    path.write_text(json.dumps(demo.report, indent=2) + "\n")
    print(
        f"\n{demo.table()}\n\nEverything is in {path.relative_to(ROOT)}. "
        "The lab still runs: make lab-status, make lab-down."
    )
    return 1 if demo.report["problems"] else 0

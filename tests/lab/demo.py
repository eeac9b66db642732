# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: build the platform, roll a release under load, refuse a bad one, lose a balancer.

DEMO_MODEL chooses the model (tiny, gemma), DEMO_RATE the requests per second, DEMO_STREAMS the streams beside them.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from docker.errors import DockerException

from . import demo_report
from .containers import QUICK, Lab
from .demo_report import LOSE, REFUSE, ROLL
from .load import LoadError, LoadRun
from .load_loop import Plan
from .pace import bearable
from .prepare import prepare
from .settings import INVENTORY, ROOT, LabError, say

OUT = ROOT / "build" / "demo"
DEPLOY = ("playbooks/rolling_deploy.yml", "-e", "pool=serving")
CURRENT = "/srv/models/serving/current"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# Load before and after what is looked at, seconds.
SETTLE_S = 5.0
FIRST_ANSWER_S = 30.0
# A lease lasts a minute; a busy machine may take its time beside that.
LEASE_S = 120.0
# What two cores can answer. A model that speaks takes all of both for a few tokens a second.
PACES = {
    "tiny": Plan("", "", rate=100, streams=8),
    "gemma": Plan("", "", rate=1, streams=2, token_rate=3, timeout=60),
}


class Demo:
    """One run of the story; what it measures gathers in `report`. A load that is `given` is sent whatever it takes."""

    def __init__(self, lab: Lab, plan: Plan, given: bool = False) -> None:
        self.lab = lab
        self.plan = plan
        self.given = given
        self.report: dict[str, Any] = {"model": plan.model, "rate": plan.rate, "seconds": {}, "load": {}, "errors": []}

    def story(self) -> None:
        """Everything, in order. Raises LabError or LoadError where it cannot go on."""
        self.timed("lab up", self.build)
        used = self.releases(check=False)
        self.refuse_another_model(list(used))
        self.timed("site.yml", lambda: self.playbook("playbooks/site.yml", quick=True))
        if used:
            # Whatever an earlier demo left, and wherever it was interrupted.
            self.timed("back to r1", self.go_back)
        self.complete()
        self.pace()
        self.under_load(ROLL, lambda: self.playbook(*DEPLOY, "-e", "release=r2"))
        self.under_load(REFUSE, self.refuse)
        self.report["releases"] = self.releases()
        self.lose_a_balancer()
        self.report["versions"] = self.versions()

    def build(self) -> None:
        """Containers, and what they need."""
        prepare(self.lab, self.plan.model)

    def go_back(self) -> None:
        """Every node on r1. The lease of a demo that was interrupted has to run out first."""
        again = ("-e", "release=r1", "-e", "admit_drained=true", "-e", "bake_time=1", "-e", "min_requests=0")
        end = time.monotonic() + LEASE_S
        while True:
            status, last = self.playbook(*DEPLOY, *again, fails=True)
            if status == 0:
                return
            if "is held by" not in last or time.monotonic() > end:
                raise LabError(f"back to r1 ended with status {status}: {last}")
            time.sleep(5)

    def refuse_another_model(self, nodes: list[str]) -> None:
        """Releases are immutable: r1 of one model cannot become r1 of another."""
        for node in nodes:
            served = self.manifest(node)["model"]
            if served != self.plan.model:
                raise LabError(f"{node} serves model {served}, not {self.plan.model}: run `make lab-down` first")

    def timed(self, step: str, act: Callable[[], Any]) -> None:
        """Do one step, and keep how many seconds it took."""
        say(step)
        began = time.monotonic()
        act()
        self.report["seconds"][step] = round(time.monotonic() - began, 1)

    def playbook(self, *arguments: str, fails: bool = False, quick: bool = False) -> tuple[int, str]:
        """Run a playbook before the reader's eyes; return its exit status and last line.

        Raises LabError for a status other than 0, unless `fails` says that it may.
        """
        environment = {**self.lab.environment, **(QUICK if quick else {})}
        if wants_colour():
            environment["ANSIBLE_FORCE_COLOR"] = "1"
        last = ""
        with subprocess.Popen(
            ["ansible-playbook", "-i", str(INVENTORY), *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout
            try:
                for line in process.stdout:
                    print(line, end="", flush=True)
                    last = COLOURS.sub("", line).strip() or last
            except BaseException:
                # Ansible heard Ctrl-C itself; a SIGTERM it did not.
                process.terminate()
                raise
        if process.returncode and not fails:
            raise LabError(f"{' '.join(arguments)} ended with status {process.returncode}: {last}")
        return process.returncode, last

    def under_load(self, step: str, act: Callable[[], Any], plan: Plan | None = None) -> None:
        """Do one step while clients send, and keep what became of every request."""
        name = step.replace(" ", "-")
        say(f"{step}: load begins, {self.plan.rate:g} requests/s and {self.plan.streams} streams")
        failure = None
        with LoadRun(replace(plan or self.plan, name=name), OUT / f"load-{name}.json") as load:
            time.sleep(SETTLE_S)
            try:
                self.timed(step, act)
            except LabError as error:
                # What clients saw of a step that failed is worth knowing too.
                failure = error
            time.sleep(SETTLE_S)
            say(f"{step}: load ends, waiting for the last streams")
            self.report["load"][step] = load.stop()
        if failure:
            raise failure

    def pace(self) -> None:
        """Send no more than this machine's lab can answer with a server out, unless the load was given."""
        if self.given or self.plan.rate < demo_report.RATE_THAT_SHOWS_GAPS:
            return
        asked, self.plan = self.plan.rate, bearable(self.plan)
        self.report["rate"] = self.plan.rate
        if self.plan.rate < asked:
            say(f"this machine is slow: {self.plan.rate:g} requests/s, not {asked:g} (DEMO_RATE={asked:g} sends them)")

    def refuse(self) -> None:
        """Offer a release that cannot be loaded."""
        status, reason = self.playbook(*DEPLOY, "-e", "release=r3-broken", fails=True)
        self.report["refused"] = {"status": status, "reason": reason}

    def lose_a_balancer(self) -> None:
        """Take the power of the balancer that serves, and give it back when the load is over."""
        holder = self.lab.holder()
        try:
            # Streams of the lost balancer must not be waited for longer than it takes to see that others work.
            plan = replace(self.plan, stream_seconds=self.plan.stream_seconds[:1], deadline=30)
            self.under_load(LOSE, lambda: self.lab.kill(holder), plan)
            gap = self.report["load"][LOSE]["longest_gap_s"]
            self.report["takeover"] = {"killed": holder, "holder": self.lab.holder(but=holder), "longest_gap_s": gap}
        finally:
            self.timed(f"{holder} back", lambda: self.lab.start(holder))

    def complete(self) -> None:
        """One real answer through the virtual IP; the first may take until the balancers have checked the servers."""
        url = f"{self.plan.url}/v1/completions"
        question = {"model": self.plan.model, "prompt": "The platform", "max_tokens": 24, "temperature": 0}
        request = urllib.request.Request(url, json.dumps(question).encode(), {"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        give_up = time.monotonic() + FIRST_ANSWER_S
        while True:
            try:
                with opener.open(request, timeout=FIRST_ANSWER_S) as reply:
                    answer, server = json.load(reply), reply.headers["X-Served-By"]
                break
            except (OSError, ValueError) as error:
                if time.monotonic() > give_up:
                    raise LabError(f"{url} gave no completion within {FIRST_ANSWER_S:g} s: {error}") from error
                time.sleep(0.5)
        text, release = answer["choices"][0]["text"], self.releases().get(server)
        self.report["completion"] = {"url": url, "request": question, "text": text, "model": answer["model"]}
        self.report["completion"].update(server=server, release=release)
        print(
            f"\nA completion through the virtual IP: {url}\n"
            f"  prompt  {question['prompt']}\n  answer {text}\n"
            f"  model   {answer['model']}, release {release}, answered by {server}\n",
            flush=True,
        )

    def members(self, group: str) -> list[str]:
        """Hosts of a group."""
        return [host.name for host in self.lab.hosts.values() if group in host.groups]

    def sites(self) -> list[str]:
        """The status site, on each of the monitoring servers."""
        return [f"http://{host.address}:8090" for host in self.lab.hosts.values() if "monitors" in host.groups]

    def releases(self, check: bool = True) -> dict[str, str]:
        """The active release of every node; without `check`, of those that have one."""
        found = {
            node: self.lab.exec(node, ["readlink", CURRENT], check=check).stdout.strip().rpartition("/")[2]
            for node in self.members("serving")
        }
        return {node: release for node, release in found.items() if release}

    def manifest(self, node: str) -> dict[str, Any]:
        """What a node says of its active release."""
        manifest: dict[str, Any] = json.loads(self.lab.exec(node, ["cat", f"{CURRENT}/release.json"]).stdout)
        return manifest

    def versions(self) -> dict[str, dict[str, str]]:
        """What runs where."""
        found: dict[str, dict[str, str]] = {}
        for host in self.members("load_balancers"):
            found[host] = {
                "HAProxy": self.lab.exec(host, ["haproxy", "-v"]).stdout.split()[2],
                "keepalived": self.lab.exec(host, ["keepalived", "--version"]).stderr.split()[1].lstrip("v"),
            }
        for host in self.members("serving"):
            release = self.manifest(host)
            found[host] = {release["engine"]: release["engine_version"]}
        return found | {"controller": {"ansible-core": version("ansible-core")}}


def plan_from_env(virtual_ip: str) -> Plan:
    """The load, from the environment. Raises LabError for what cannot be understood."""
    model = os.environ.get("DEMO_MODEL") or "tiny"
    if model not in PACES:
        raise LabError(f"DEMO_MODEL is {model!r}: known are {', '.join(PACES)}")
    plan = replace(PACES[model], url=f"http://{virtual_ip}:8080", model=model)
    try:
        rate = float(os.environ.get("DEMO_RATE") or plan.rate)
        streams = int(os.environ.get("DEMO_STREAMS") or plan.streams)
    except ValueError as error:
        raise LabError(f"DEMO_RATE and DEMO_STREAMS are numbers: {error}") from error
    if not 0 < rate <= 1000 or not 0 <= streams <= 1000:
        raise LabError(f"DEMO_RATE is {rate:g} and DEMO_STREAMS is {streams}: at most 1000, and a rate above 0")
    return replace(plan, rate=rate, streams=streams)


def wants_colour() -> bool:
    """Whether the reader's terminal shows colours and nobody asked for none."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def run() -> int:
    """Run the story. Exit status 1 when a promise was not kept."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    lab = Lab.from_env()
    demo = Demo(lab, plan_from_env(lab.virtual_ip), given=bool(os.environ.get("DEMO_RATE")))
    OUT.mkdir(parents=True, exist_ok=True)
    try:
        demo.story()
    except (LabError, LoadError, DockerException) as error:
        demo.report["errors"].append(str(error))
    except KeyboardInterrupt:
        demo.report["errors"].append("interrupted")
        raise
    finally:
        problems = demo_report.judge(demo.report)
        whole = {"passed": not problems, "problems": problems, **demo_report.totals(demo.report), **demo.report}
        (OUT / "report.json").write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    print(f"\n{demo_report.screen(demo.report, problems, wants_colour())}\n")
    print(f"Everything measured is in {(OUT / 'report.json').relative_to(ROOT)}.")
    print(
        f"The lab still runs. Look at it: {' or '.join(demo.sites())}, make lab-status. Remove it: make lab-down.",
        flush=True,
    )
    return 1 if problems else 0

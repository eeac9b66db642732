# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The monitoring pair under test. One runs Prometheus 2.53 and Alertmanager 0.28, the other 2.42 and 0.25."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab.containers import Lab
from tests.lab.pair import eventually
from tests.lab.settings import ROOT

RECEIVER = (Path(__file__).parents[3] / "tests" / "lab" / "alert_receiver.py").read_text(encoding="utf-8")
TOLD = "/run/alerts.jsonl"


@dataclass(frozen=True)
class Monitor:
    """One of the pair."""

    lab: Lab
    name: str
    address: str

    def get(self, path: str, port: int = 9090, **query: str) -> Any:
        """The data of an API's answer. Raises OSError."""
        url = f"http://{self.address}:{port}{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            said = json.load(answer)
        return said["data"] if port == 9090 else said

    def query(self, expression: str) -> list[dict[str, Any]]:
        """An instant query's series."""
        return list(self.get("/api/v1/query", query=expression)["result"])

    def value(self, expression: str) -> float | None:
        """The first series' value; None without one."""
        series = self.query(expression)
        return float(series[0]["value"][1]) if series else None

    def run(self, *argv: str, check: bool = True) -> str:
        """A command's output on the host."""
        return self.lab.exec(self.name, list(argv), check=check).stdout

    def ready(self) -> bool:
        """Whether Prometheus and Alertmanager answer, and the Alertmanagers see each other."""
        try:
            status = self.get("/api/v2/status", 9093)["cluster"]
            return len(status["peers"]) == 2 and bool(self.query("vector(1)"))
        except OSError:
            return False


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab that Molecule made."""
    return Lab.from_env()


@pytest.fixture(scope="session")
def monitors(lab: Lab) -> list[Monitor]:
    """Both, in order of their names."""
    return [Monitor(lab, name, host.address) for name, host in lab.hosts.items() if "monitors" in host.groups]


@pytest.fixture(params=["mon1", "mon2"])
def monitor(request: pytest.FixtureRequest, monitors: list[Monitor]) -> Monitor:
    """Each in turn."""
    return next(each for each in monitors if each.name == request.param)


@pytest.fixture(autouse=True)
def _both_ready(monitors: list[Monitor]) -> None:
    """Every case begins with both of them."""
    eventually(lambda: all(each.ready() for each in monitors), "both monitoring servers are ready", 90)


class Trial:
    """promtool at work on one of them, at the lowest weight, while other cases wait for time to pass."""

    FOLDER = "/var/tmp/rules"
    PARTS = ("roles/monitoring/files/rules", "tests/rules")

    def __init__(self, monitor: Monitor, files: list[str]) -> None:
        self.monitor, self.files = monitor, files
        # Rules and tests lie on the host as they do in the tree, since the tests name the rules' place.
        container = monitor.lab.hosts[monitor.name].container
        for part in self.PARTS:
            monitor.run("mkdir", "--parents", f"{self.FOLDER}/{part}")
            copied = f"{container}:{self.FOLDER}/{part}"
            subprocess.run(["docker", "cp", f"{ROOT / part}/.", copied], check=True, capture_output=True)
        monitor.run("systemctl", "stop", "rules", check=False)
        script = f"cd {self.FOLDER}/tests/rules && promtool test rules {' '.join(files)} > {self.FOLDER}/said 2>&1"
        monitor.run("systemd-run", "--unit=rules", "--collect", "--nice=19", "sh", "-c", script)

    def ended(self) -> bool:
        """Whether it is done, well or not."""
        return self.monitor.run("systemctl", "is-active", "rules", check=False).strip() not in ("active", "activating")

    def said(self) -> str:
        """All that it said."""
        return self.monitor.run("cat", f"{self.FOLDER}/said")

    def forget(self) -> None:
        """Leave nothing."""
        self.monitor.run("systemctl", "stop", "rules", check=False)
        self.monitor.run("rm", "-rf", self.FOLDER)


@pytest.fixture(scope="session")
def trials(monitors: list[Monitor]) -> Iterator[dict[str, Trial]]:
    """By host. Each tries half of the files: all of them take minutes. With `make chaos`, all.

    The first file after that which kills one of the hosts asks for it.
    """
    files = sorted(path.name for path in (ROOT / "tests" / "rules").glob("*.yml"))
    share = 1 if os.environ.get("STEADFAST_CHAOS") == "whole" else len(monitors)
    started = {each.name: Trial(each, files[turn % share :: share]) for turn, each in enumerate(monitors)}
    yield started
    for trial in started.values():
        trial.forget()


class Told:
    """What the Alertmanagers have told so far."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def alerts(self, name: str, status: str = "firing") -> list[dict[str, Any]]:
        """Every message about an alert, in order, doubles included."""
        lines = self.lab.exec("witness1", ["cat", TOLD], check=False).stdout.splitlines()
        every = [json.loads(line) for line in lines]
        return [each for each in every if each["labels"]["alertname"] == name and each["status"] == status]


@pytest.fixture(scope="session")
def told(lab: Lab) -> Iterator[Told]:
    """A receiver on the witness, for as long as the tests run."""
    lab.exec("witness1", ["systemctl", "stop", "alert-receiver"], check=False)
    lab.exec("witness1", ["rm", "-f", TOLD])
    command = ["systemd-run", "--unit=alert-receiver", "--collect", "python3", "-c", RECEIVER]
    lab.exec("witness1", [*command, lab.hosts["witness1"].address, "8500", TOLD])
    yield Told(lab)
    lab.exec("witness1", ["systemctl", "stop", "alert-receiver"])


def switch(lab: Lab, on: bool) -> float:
    """Have the alert LabSwitch fire, or end. Returns when, by this machine's clock."""
    path = "/var/lib/steadfast/metrics/lab.prom"
    script = f"echo 'steadfast_lab_switch {int(on)}' > {path}.new && mv {path}.new {path}"
    lab.exec("witness1", ["sh", "-c", script])
    return time.time()

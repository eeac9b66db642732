# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stories of chaos share: a lab under load, what its servers say, and what became of every request."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.containers import Lab
from tests.lab.load import LoadRun
from tests.lab.load_loop import Plan
from tests.lab.pace import bearable
from tests.lab.pair import ASK
from tests.lab.settings import LabError

DEPLOY = ("playbooks/rolling_deploy.yml", "-e", "pool=serving")
ROLLBACK = ("playbooks/rollback.yml", "-e", "pool=serving")
# Short, so that a case takes a minute: 60 requests of a batch are judged after 3 s. In so short a time busy cores make
# one server 100 ms slower than another; whether a release is slow is judged where nothing of this is set.
QUICK = ("-e", "bake_time=3", "-e", "min_requests=60", "-e", "lease_ttl=15", "-e", "latency_floor_ms=200")
BALANCERS = ("lb1", "lb2")
# The whole list, as `make chaos` runs it; `make test` takes what proves most in little time.
WHOLE = os.environ.get("STEADFAST_CHAOS") == "whole"


def nodes(lab: Lab) -> tuple[str, ...]:
    """The pool's model servers."""
    return tuple(host.name for host in lab.hosts.values() if "serving" in host.groups)


def releases(lab: Lab, names: tuple[str, ...]) -> list[str]:
    """The active release of each node."""
    return [lab.exec(n, ["readlink", "/srv/models/serving/current"]).stdout.strip().rpartition("/")[2] for n in names]


def out_of_traffic(lab: Lab) -> list[str]:
    """Servers that a balancer has out of traffic, as `gpu1 at lb1: 1`."""
    found = []
    for balancer in BALANCERS:
        for line in lab.exec(balancer, ["python3", "-c", ASK, "@1 show servers state serving"]).stdout.splitlines():
            words = line.split()
            if len(words) > 8 and words[1] == "serving" and words[6] != "0":
                found.append(f"{words[3]} at {balancer}: {words[6]}")
    return found


@dataclass(frozen=True)
class Way:
    """The release that every node is on, and the one that the rollout of a case goes to."""

    here: str
    there: str


def to(way: Way) -> tuple[str, ...]:
    """A quick rollout's arguments."""
    return ("-e", f"release={way.there}", *QUICK)


def whole(lab: Lab, names: tuple[str, ...]) -> str:
    """The good release that every node is on, if nothing is out of traffic and no run is open; else nothing."""
    found = set(releases(lab, names))
    journal = lab.exec("lb1", ["cat", "/var/lib/steadfast/ledger/serving/journal"], check=False).stdout.splitlines()
    calm = not journal or '"event":"run_closed"' in journal[-1]
    good = len(found) == 1 and found <= {"r1", "r2"}
    return found.pop() if good and calm and not out_of_traffic(lab) else ""


def settled(lab: Lab, seconds: float = 60) -> list[str]:
    """Wait until nothing is out of traffic; what still is after so long."""
    end = time.monotonic() + seconds
    while (left := out_of_traffic(lab)) and time.monotonic() < end:
        time.sleep(1)
    return left


def load(lab: Lab, folder: Path, rate: float = 40, streams: int = 3, **more: Any) -> LoadRun:
    """Clients that send until they are stopped, at most so many as the lab can bear. `more` are fields of Plan."""
    plan = Plan(f"http://{lab.virtual_ip}:8080", "chaos", rate=rate, streams=streams, model="tiny", **more)
    return LoadRun(bearable(plan), folder / "load.json", folder / "load.log")


def lost(result: dict[str, Any]) -> tuple[int, int]:
    """Requests that failed, and streams that were cut."""
    return result["requests"]["failed"], result["streams"]["cut"]


def samples(result: dict[str, Any]) -> str:
    """For a message: what some of the lost ones met, and how the virtual IP moved last."""
    lab = Lab.from_env()
    told = [json.dumps(result["samples"])[:1500]]
    for balancer in BALANCERS:
        with contextlib.suppress(LabError):
            history = lab.exec(balancer, ["tail", "-c", "400", f"/var/lib/steadfast/vrrp/{lab.virtual_ip}.json"])
            told.append(f"{balancer}: {history.stdout}")
    return "\n".join(told)

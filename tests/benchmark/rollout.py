# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench-rollout`: our rolling deploy and the textbook's, side by side on one lab under one load.

The lab must be up and set up (`make lab-up`, site.yml). The textbook's engines stop as a plain unit does, on SIGTERM;
the role's own unit would wait for their streams. The textbook runs with Ansible's own defaults, which do not pipeline,
and once with pipelining, as ours does. ROWS names what happens meanwhile (a comma between; all by default), BAKE the
bake time in seconds (30), RATE the requests per second (40), STREAMS how many are open at any time (4), SIDES who
rolls (a semicolon between; "ours, 3" has max_parallel 3). A bake lasts longer where RATE brings a server fewer than 50
requests in it. One rollout that is not measured comes first, so that no side copies a model. The ideal is what cannot
be saved: drain, stop, load and bake, batch by batch, each as long as our rollout measured it (of a batch the longest).
What was lost is counted by the clients. Writes build/bench/rollout.json; exit 1 when ours lost something to anything
but a balancer's death.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos import releases, story
from tests.chaos.controller import Controller, mend
from tests.lab.containers import Lab
from tests.lab.settings import ROOT, LabError

from .table import table

OUT = ROOT / "build" / "bench"
BAKE = float(os.environ.get("BAKE", "30"))
RATE = float(os.environ.get("RATE", "40"))
STREAMS = int(os.environ.get("STREAMS", "4"))
SIDES = ("ours", "ours, 3", "textbook, drain", "textbook, no drain", "textbook, drain, pipelining")
SHORT, LONG = (1.0, 2.0), (5.0, 30.0)
# A drop-in: its empty ExecStop takes back the one that the role has written.
PLAIN_UNIT = "/run/systemd/system/model-server-serving.service.d/zz-textbook.conf"
# Seconds after which what a dead controller has left would be back, if it comes back by itself.
PATIENCE_S = 45.0


@dataclass(frozen=True)
class Row:
    """What happens during a rollout: how long streams last (s), which release, what is done in a drain, the bake."""

    streams: tuple[float, float] = SHORT
    release: str = ""
    meanwhile: Callable[[Lab, Controller], None] | None = None
    bake: float = BAKE


def reload_balancers(lab: Lab, _controller: Controller) -> None:
    """As an operator does who changes a certificate."""
    for balancer in story.BALANCERS:
        lab.exec(balancer, ["systemctl", "reload", "haproxy"], check=False)


def kill_balancer(lab: Lab, _controller: Controller) -> None:
    """The balancer that holds the virtual IP loses its power."""
    lab.kill(lab.holder())


def kill_controller(_lab: Lab, controller: Controller) -> None:
    """The controller loses its power."""
    controller.signal(signal.SIGKILL)


ROWS = {
    "calm": Row(),
    "streams": Row(LONG),
    "reload": Row(LONG, meanwhile=reload_balancers),
    "balancer-killed": Row(meanwhile=kill_balancer),
    "controller-killed": Row(meanwhile=kill_controller),
    # Never shorter: three errors in a hundred need some hundred requests to be seen.
    "bad-release": Row(release="bad-errors", bake=max(BAKE, 30)),
}


def arguments(side: str, release: str, bake: float, variables: Path, nodes: int) -> tuple[str, ...]:
    """The playbook of one side. A server is judged after a quarter of its share of a bake's requests."""
    common = ("-e", f"@{variables}", "-e", f"release={release}", "-e", f"bake_time={bake:g}")
    if side.startswith("ours"):
        enough = min(300, RATE * bake / nodes / 4)
        parallel = side.partition(", ")[2] or "1"
        asked = {"min_requests": f"{enough:.0f}", "lease_ttl": "15", "max_parallel": parallel}
        return (*story.DEPLOY, *common, *(word for item in asked.items() for word in ("-e", "=".join(item))))
    return ("tests/benchmark/textbook.yml", *common, "-e", f"textbook_drain={'no drain' not in side}".lower())


def plain_unit(lab: Lab, nodes: tuple[str, ...], plain: bool) -> None:
    """Let the engines stop as a plain unit does, or as the role's does."""
    folder = PLAIN_UNIT.rpartition("/")[0]
    write = f"mkdir -p {folder} && printf '[Service]\\nExecStop=\\n' > {PLAIN_UNIT}"
    for node in nodes:
        lab.exec(node, ["sh", "-c", f"{write if plain else f'rm -f {PLAIN_UNIT}'}; systemctl daemon-reload"])


def measure(lab: Lab, side: str, name: str, row: Row, way: story.Way, nodes: tuple[str, ...]) -> dict[str, Any]:
    """One rollout under load."""
    label = f"{name}-{side}".replace(", ", "-").replace(" ", "-")
    release = row.release or way.there
    variables = releases.write_variables(OUT / "releases.json")
    # What an earlier run of this told is not this run's.
    shutil.rmtree(OUT / label, ignore_errors=True)
    with story.load(lab, OUT / label, RATE, streams=STREAMS, stream_seconds=row.streams) as load:
        time.sleep(3)
        began = time.monotonic()
        asked = arguments(side, release, row.bake, variables, len(nodes))
        piped = side.startswith("ours") or "pipelining" in side
        with Controller(lab, OUT / label, *asked, environment={"ANSIBLE_PIPELINING": str(piped)}) as controller:
            if row.meanwhile and controller.until(lambda _each: story.out_of_traffic(lab)):
                row.meanwhile(lab, controller)
            status = controller.end()
        wall = time.monotonic() - began
        for balancer in story.BALANCERS:
            if not lab.running(balancer):
                lab.start(balancer)
        if row.meanwhile in (kill_balancer, kill_controller):
            story.settled(lab, PATIENCE_S)
        result = load.stop()
    failed, cut = story.lost(result)
    work = took(controller) if not status else {}
    batches = sum("baking" in transition for transition in controller.transitions()) or len(nodes)
    bakes = row.bake * batches
    return {
        "row": name,
        "side": side,
        "exit": status,
        "wall_s": round(wall, 1),
        "overhead_per_node_s": round((wall - bakes) / len(nodes), 1) if not status else None,
        "over_ideal": round(wall / (bakes + sum(work.values())), 3) if work else None,
        **{f"{word}_s": round(work[word], 1) if work else None for word in ("drain", "stop", "load")},
        "requests": result["requests"]["sent"],
        "failed": failed,
        "streams": result["streams"]["started"],
        "cut": cut,
        "left_drained": len({entry.split()[0] for entry in story.out_of_traffic(lab)}),
        "on_bad_release": sum(each == row.release for each in story.releases(lab, nodes)),
    }


def took(controller: Controller) -> Counter[str]:
    """Seconds that drains, stops and loads took, summed over the batches of our rollout; empty for the textbook's."""
    found: Counter[str] = Counter()
    for event in controller.events():
        if event["event"] == "took":
            found.update(event["seconds"])
    return found


def chosen(variable: str, every: Iterable[str], between: str) -> list[str]:
    """What a variable of the environment names; every one where it names none, or says `all`."""
    asked = os.environ.get(variable) or "all"
    return list(every) if asked == "all" else asked.split(between)


def warm_up(lab: Lab, nodes: tuple[str, ...]) -> None:
    """Have both releases on every node. Raises LabError."""
    way = mend(lab, nodes, OUT / "mend")
    with Controller(lab, OUT / "warm-up", *story.DEPLOY, *story.to(way), "-e", "min_requests=0") as controller:
        if controller.end():
            raise LabError(f"the rollout before the first row failed: {controller.output()[-2000:]}")


def main() -> int:
    """Every row with every side, then the table."""
    lab = Lab.from_env()
    nodes = story.nodes(lab)
    OUT.mkdir(parents=True, exist_ok=True)
    releases.install(lab, nodes)
    warm_up(lab, nodes)
    found: list[dict[str, Any]] = []
    for name in chosen("ROWS", ROWS, ","):
        for side in chosen("SIDES", SIDES, ";"):
            plain_unit(lab, nodes, plain=False)
            way = mend(lab, nodes, OUT / "mend")
            plain_unit(lab, nodes, plain=side.startswith("textbook"))
            found.append(measure(lab, side, name, ROWS[name], way, nodes))
            print(json.dumps(found[-1]), flush=True)
            (OUT / "rollout.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    plain_unit(lab, nodes, plain=False)
    mend(lab, nodes, OUT / "mend")
    print(table(found))
    ours = [
        each
        for each in found
        if each["side"].startswith("ours") and each["row"] not in ("balancer-killed", "bad-release")
    ]
    return 1 if any(each["failed"] or each["cut"] or each["left_drained"] for each in ours) else 0


if __name__ == "__main__":
    sys.exit(main())

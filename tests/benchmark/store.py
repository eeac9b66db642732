# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench-store`: one rollout of a large model that comes through the cache, from the store, or by a copy task.

The lab must be up and set up (`make lab-up`, site.yml). MIB is the artifact's size (1024). Each side has a model of its
own, a tiny one with random bytes behind it, which the engine reads like weights; so nobody finds another's bytes in
memory. Measured: from the rollout's start until the last node is admitted (`wall_s`), how much of it was spent before
the first node left traffic (`before_s`: copied while the old release serves), what the engine took to load (`load_s`,
a node), and the network's share (`received_mib`, over the nodes). Writes build/bench/store.json.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from tests.chaos import story
from tests.chaos.controller import Controller
from tests.lab.containers import Lab
from tests.lab.settings import ROOT, LabError, cache

from .table import table

OUT = ROOT / "build" / "bench"
MIB = int(os.environ.get("MIB", "1024"))
SIDES = ("cache", "direct", "copy")
STORE = "/srv/store"
# Where the controller has the models.
MODELS = OUT / "models"


def write_models(mib: int) -> dict[str, str]:
    """One large model for each side; their digests."""
    shutil.rmtree(MODELS, ignore_errors=True)
    MODELS.mkdir(parents=True)
    tiny = (cache() / "models" / "tiny-r2.gguf").read_bytes()
    found = {}
    for side in SIDES:
        digest = hashlib.sha256(tiny)
        with (MODELS / f"{side}.gguf").open("wb") as sink:
            sink.write(tiny)
            for _each in range(mib):
                block = os.urandom(1 << 20)
                digest.update(block)
                sink.write(block)
        found[side] = digest.hexdigest()
    return found


def publish(lab: Lab, side: str) -> None:
    """Have a side's model in the store. Raises LabError."""
    asked = ("-e", f"artifact={side}/1", "-e", f"source={MODELS / f'{side}.gguf'}", "-e", "upload=true")
    done = lab.playbook("playbooks/publish_model.yml", *asked)
    if done.returncode:
        raise LabError(f"{side} was not published: {done.stdout[-1500:]}")


def write_variables(path: Path, digests: dict[str, str]) -> Path:
    """A file for -e @FILE that declares a release for each side, beside the lab's own."""
    models = json.loads((cache() / "models" / "index.json").read_text(encoding="utf-8"))
    engine = {"profile": "llama_cpp", "version": "11434.0.0", "src": f"{cache()}/llama-server/11434.0.0/llama-server"}
    args = ["--threads", "1", "--parallel", "16", "--ctx-size", "524288", "--no-webui"]
    plain = {"model": "tiny", "engine": engine, "args": args}
    own = {
        release: {"name": f"tiny-{release}.gguf", "src": f"{cache()}/models/tiny-{release}.gguf"}
        for release in ("r1", "r2")
    }
    artifacts: dict[str, dict[str, Any]] = {
        **{release: {**one, "sha256": models[one["name"]]} for release, one in own.items()},
        "cache": {"name": "cache.gguf", "store": "cache/1", "sha256": digests["cache"]},
        "direct": {"name": "direct.gguf", "store": "direct/1", "direct": True, "sha256": digests["direct"]},
        "copy": {"name": "copy.gguf", "src": str(MODELS / "copy.gguf"), "sha256": digests["copy"]},
    }
    content = {"model_server_releases": {name: {**plain, "artifact": each} for name, each in artifacts.items()}}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def received(lab: Lab, nodes: tuple[str, ...]) -> float:
    """MiB that the nodes have received by their network so far."""
    return sum(int(lab.exec(node, ["cat", "/sys/class/net/eth0/statistics/rx_bytes"]).stdout) for node in nodes) / 2**20


def asked(release: str, variables: Path) -> tuple[str, ...]:
    """A rollout's arguments: whatever of it is not the model's way is as short as can be."""
    return ("-e", f"@{variables}", "-e", f"release={release}", "-e", "bake_time=1", "-e", "min_requests=0")


def roll_back(lab: Lab, variables: Path) -> None:
    """Have every node on the first release. Raises LabError."""
    with Controller(lab, OUT / "store-back", *story.DEPLOY, *asked("r1", variables)) as controller:
        if controller.end():
            raise LabError(f"the lab does not go back to r1: {controller.output()[-2000:]}")


def measure(lab: Lab, side: str, variables: Path, nodes: tuple[str, ...]) -> dict[str, Any]:
    """One rollout without load, from the lab's first release."""
    roll_back(lab, variables)
    label = OUT / f"store-{side}"
    shutil.rmtree(label, ignore_errors=True)
    before, began, left = received(lab, nodes), time.monotonic(), None
    with Controller(lab, label, *story.DEPLOY, *asked(side, variables)) as controller:
        if controller.until(lambda _each: story.out_of_traffic(lab)):
            left = time.monotonic() - began
        if controller.end():
            raise LabError(f"the rollout of {side} failed: {controller.output()[-2000:]}")
    took = [event["seconds"] for event in controller.events() if event["event"] == "took"]
    loads = [seconds["load"] for seconds in took if "load" in seconds]
    return {
        "side": side,
        "mib": MIB,
        "wall_s": round(time.monotonic() - began, 1),
        "before_s": round(left, 1) if left else None,
        "load_s": round(sum(loads) / len(loads), 2) if loads else None,
        "received_mib": round(received(lab, nodes) - before),
    }


def main() -> int:
    """Every side, then the table."""
    lab = Lab.from_env()
    nodes = story.nodes(lab)
    OUT.mkdir(parents=True, exist_ok=True)
    digests = write_models(MIB)
    for side in ("cache", "direct"):
        publish(lab, side)
    variables = write_variables(OUT / "store-releases.json", digests)
    found = []
    for side in SIDES:
        found.append(measure(lab, side, variables, nodes))
        print(json.dumps(found[-1]), flush=True)
        (OUT / "store.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    roll_back(lab, variables)
    shutil.rmtree(MODELS)
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench-scale`: a plan and a lease for 2,000 nodes, and one call of haproxy_server for 1,000 servers.

The lab must be up: a HAProxy of its own, with servers that nobody asks, runs in lb1 meanwhile. Exit 1 above a second.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.records import Record
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.store import Store
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.plan import BalancerView, Node, make_plan
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.policy import settle
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils import courier

from tests.lab.containers import Lab

NODES, SERVERS, LIMIT_S = 2000, 1000, 1.0
FOLDER = "/tmp/steadfast-bench-scale"
CONFIG = """global
  maxconn 100
defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
backend many
"""


def seconds(act: Callable[[], Any]) -> float:
    """How long something takes; the best of three, because the machine is noisy."""
    taken = []
    for _round in range(3):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    return min(taken)


def plan() -> None:
    """Plan a rollout over two balancers, racks as failure domains."""
    names = [f"gpu{number}" for number in range(NODES)]
    nodes = [Node(name, "r1", None, f"rack{place // 40}", {"r2": "x"}) for place, name in enumerate(names)]
    views = [BalancerView(lb, dict.fromkeys(names, ("ready", True)), lb == "lb1") for lb in ("lb1", "lb2")]
    policy = settle({"failure_domain_key": "rack", "max_parallel": "5%"}, NODES)
    assert len(make_plan("serving", "r2", nodes, views, policy).batches) > NODES // 100


def lease(folder: Path) -> float:
    """Take a lease over a journal in which 2,000 nodes went through five phases each, add a record, give it back."""
    lines = [
        Record(seq, 1, "run", "changing", "", {"batch": seq // 5, "nodes": [f"gpu{seq // 5}"]}).line()
        for seq in range(1, NODES * 5 + 1)
    ]
    Store(str(folder), "serving").take("before", "run", 1, 0, lines)

    def once() -> None:
        store = Store(str(folder), "serving")
        fence, last = store.lease().fence + 1, store.records()[0][-1].seq
        store.take("bench", "run", fence, 60, None)
        store.append("bench", fence, 60, [Record(last + 1, fence, "run", "verified", "", {"batch": 0}).line()])
        store.release("bench", fence)

    return seconds(once)


class ManyServers:
    """A HAProxy with many servers, in lb1, while the block lasts."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def __enter__(self) -> ManyServers:
        lines = "".join(f"  server s{n} 192.0.2.1:{n + 1024}\n" for n in range(SERVERS))
        self.lab.exec("lb1", ["mkdir", "-p", FOLDER])
        self.lab.exec("lb1", ["python3", "-c", f"open('{FOLDER}/cfg', 'w').write({CONFIG + lines!r})"])
        start = ["haproxy", "-W", "-D", "-S", f"{FOLDER}/socket", "-p", f"{FOLDER}/pid", "-f", f"{FOLDER}/cfg"]
        self.lab.exec("lb1", start)
        time.sleep(1)
        return self

    def __exit__(self, *_exception: object) -> None:
        self.lab.exec("lb1", ["sh", "-c", f"kill $(cat {FOLDER}/pid); rm -r {FOLDER}"], check=False)

    def set(self, state: str) -> None:
        """One call of the module for all servers, over the container's connection."""
        arguments = {
            "backend": "many",
            "servers": [f"s{n}" for n in range(SERVERS)],
            "state": state,
            "socket": f"{FOLDER}/socket",
            "state_file": "",
        }
        program = courier.parcel("steadfast.ai_platform.haproxy_server", arguments)
        argv = ["docker", "exec", "-i", f"{self.lab.name}-lb1", "python3", "-"]
        done = subprocess.run(argv, input=program, capture_output=True, text=True, check=False)
        result = courier.opened({"stdout": done.stdout, "stderr": done.stderr})
        if result.get("failed") or len(result["servers"]) != SERVERS:
            raise SystemExit(f"haproxy_server: {result.get('msg')} {result.get('module_stderr')}")


def main() -> int:
    """Measure, print, and compare with the limit."""
    found = {f"plan for {NODES} nodes": seconds(plan)}
    with tempfile.TemporaryDirectory() as folder:
        found["take, hold and release a lease"] = lease(Path(folder))
    with ManyServers(Lab.from_env()) as many:
        states = iter(("drain", "ready", "drain"))
        found[f"haproxy_server, {SERVERS} servers in one call"] = seconds(lambda: many.set(next(states)))
    for name, took in found.items():
        print(f"{name:48} {took:6.3f} s")
    return 1 if max(found.values()) > LIMIT_S else 0


if __name__ == "__main__":
    sys.exit(main())

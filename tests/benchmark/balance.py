# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench-balance`: one engine three times slower than the others, and who is kept waiting for it.

The lab must be up and set up (`make lab-up`, site.yml). The same load is spread by roundrobin and by leastconn, each
without the servers' load agents and with them, all in one run. RATE is requests per second (100), DURATION how long
each row is measured (30 s), QUOTA the share of a processor that a fast engine has in percent (15). Writes
build/bench/balance.json.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.chaos import story
from tests.lab.containers import Lab
from tests.lab.pair import Balancer, Pair
from tests.lab.settings import ROOT

from .table import table

OUT = ROOT / "build" / "bench"
RATE = float(os.environ.get("RATE", "100"))
DURATION_S = float(os.environ.get("DURATION", "30"))
QUOTA = float(os.environ.get("QUOTA", "15"))
SLOWER = 3
# Seconds until every algorithm has found its shares.
SETTLE_S = 5
CONFIG = "/etc/haproxy/haproxy.cfg"
UNIT = "model-server-serving"


@contextmanager
def paced(lab: Lab, node: str, percent: float) -> Iterator[None]:
    """An engine with so much of a processor."""
    before = lab.exec(node, ["systemctl", "show", UNIT, "-P", "CPUQuotaPerSecUSec"]).stdout.strip()
    # systemd shows the quota as time a second: 350ms is 35 %.
    given = "" if before == "infinity" else f"{float(before.removesuffix('ms')) / 10:g}%"
    quota = ["systemctl", "set-property", "--runtime", UNIT]
    lab.exec(node, [*quota, f"CPUQuota={percent:g}%"])
    try:
        yield
    finally:
        lab.exec(node, [*quota, f"CPUQuota={given}"])


@contextmanager
def balanced(balancer: Balancer, servers: list[str], algorithm: str, agents: bool) -> Iterator[None]:
    """A balancer that spreads by this algorithm, asking the load agents or not."""
    balancer.run("cp", "--preserve=all", CONFIG, f"{CONFIG}.bench")
    try:
        balancer.run("sed", "--in-place", f"s/^    balance .*/    balance {algorithm}/", CONFIG)
        balancer.run("systemctl", "reload", "haproxy")
        for server in servers:
            place = f"serving/{server}"
            word = "enable" if agents else "disable"
            balancer.ask(f"@1 {word} agent {place}; @1 set server {place} weight 100%")
        yield
    finally:
        balancer.run("mv", f"{CONFIG}.bench", CONFIG)
        balancer.run("systemctl", "reload", "haproxy")
        for server in servers:
            balancer.ask(f"@1 enable agent serving/{server}")


def measure(pair: Pair, algorithm: str, agents: bool) -> dict[str, Any]:
    """One row: what clients saw, and the share that the slow engine got."""
    name = f"{algorithm}{'-agents' if agents else ''}"
    with ExitStack() as stack:
        for balancer in pair.balancers:
            stack.enter_context(balanced(balancer, pair.servers, algorithm, agents))
        with story.load(pair.lab, OUT / name, RATE, streams=0, timeout=30.0):
            time.sleep(SETTLE_S)
        with story.load(pair.lab, OUT / name, RATE, streams=0, timeout=30.0) as load:
            time.sleep(DURATION_S)
            result = load.stop()
    latency = result["requests"]["latency_ms"]
    answered = {server: activity["ok"] for server, activity in result["servers"].items()}
    return {
        "balance": algorithm,
        "agents": "yes" if agents else "no",
        "requests": result["requests"]["sent"],
        "failed": result["requests"]["failed"],
        **{f"{part}_ms": latency[part] for part in ("p50", "p95", "p99")},
        "slow_share": round(answered.get(pair.servers[0], 0) / max(1, sum(answered.values())), 3),
    }


def main() -> int:
    """Every row, then the table."""
    pair = Pair(Lab.from_env())
    OUT.mkdir(parents=True, exist_ok=True)
    found = []
    with ExitStack() as stack:
        for number, node in enumerate(pair.servers):
            stack.enter_context(paced(pair.lab, node, QUOTA / (1 if number else SLOWER)))
        for algorithm in ("roundrobin", "leastconn"):
            for agents in (False, True):
                found.append(measure(pair, algorithm, agents))
                print(json.dumps(found[-1]), flush=True)
    (OUT / "balance.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(table(found))
    return 1 if any(row["failed"] for row in found if row["agents"] == "yes") else 0


if __name__ == "__main__":
    sys.exit(main())

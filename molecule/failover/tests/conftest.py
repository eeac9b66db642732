# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every case begins with a whole lab: both balancers able to hold the virtual IP, one holding it, all servers UP."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import story
from tests.lab.containers import Lab
from tests.lab.load import LoadRun
from tests.lab.pair import Balancer, Pair, eventually

RESULTS = Path(__file__).parents[3] / "build" / "failover.jsonl"
STATE = "/var/lib/steadfast/vrrp/{0}.json"


@pytest.fixture(scope="session")
def pair() -> Pair:
    return Pair(Lab.from_env())


def state(balancer: Balancer, address: str) -> str:
    """What keepalived told last."""
    return str(json.loads(balancer.run("cat", STATE.format(address)).stdout)["state"])


def holders(pair: Pair) -> list[str]:
    """Who has the virtual IP."""
    return [balancer.name for balancer in pair.balancers if balancer.holds(pair.virtual_ip)]


def whole(pair: Pair) -> bool:
    """Whether one holds the virtual IP, the other stands by, and every server is UP at both."""
    states = sorted(state(balancer, pair.virtual_ip) for balancer in pair.balancers)
    return (
        len(holders(pair)) == 1
        and states == ["BACKUP", "MASTER"]
        and all(server["status"] == "UP" for balancer in pair.balancers for server in balancer.servers())
    )


@pytest.fixture(autouse=True)
def _whole(pair: Pair) -> None:
    eventually(lambda: whole(pair), "the lab is whole", 60)


@pytest.fixture
def clients(pair: Pair, tmp_path: Path) -> LoadRun:
    """A hundred requests a second and three streams, through the virtual IP."""
    return story.load(pair.lab, tmp_path, rate=100, streams=3, stream_seconds=(2.0,), deadline=15.0, timeout=5.0)


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Keeps what was measured, a line of JSON a case: docs/reliability.md is made of them."""

    def write(**numbers: Any) -> None:
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"case": request.node.name, **numbers}) + "\n")

    return write

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pair under test. Each balancer can be spoken to alone: one runs HAProxy 3.0, the other 2.6."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.containers import Lab
from tests.lab.pair import Balancer, Pair, eventually

CONVERGE = str(Path(__file__).parents[1] / "converge.yml")


def converge(pair: Pair, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run the scenario's playbook again, with other variables."""
    return pair.lab.playbook(CONVERGE, "-e", json.dumps(variables), *arguments)


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab that Molecule made."""
    return Lab.from_env()


@pytest.fixture(scope="session")
def pair(lab: Lab) -> Pair:
    """The balancers of the lab."""
    return Pair(lab)


@pytest.fixture(params=["lb1", "lb2"])
def balancer(request: pytest.FixtureRequest, pair: Pair) -> Iterator[Balancer]:
    """Each balancer in turn, with every server admitted and healthy before and after."""
    chosen = {balancer.name: balancer for balancer in pair.balancers}[request.param]
    settle(chosen, pair.servers)
    yield chosen
    settle(chosen, pair.servers)


def settle(balancer: Balancer, servers: list[str]) -> None:
    """Admit every server and wait until all are healthy and idle."""
    for server in servers:
        balancer.ask(f"@1 set server serving/{server} state ready; @1 set server serving/{server} weight 100%")
    eventually(balancer.at_rest, f"{balancer.name} sees all servers UP and idle", 30)

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a lab can answer on the machine it stands on: what nobody could answer proves nothing about a rollout."""

from __future__ import annotations

import functools
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from .load import LoadRun
from .load_loop import Plan

SECONDS = 3.0
# More than the fastest lab answers, so that what comes back is all it can.
RATE, STREAMS = 250.0, 6
# Of what all servers answer: one of three is out at a time, and Ansible takes its part of the cores.
SHARE = 0.4


def bearable(plan: Plan) -> Plan:
    """The plan, with no higher rate than its service can bear while servers go and come. The service must be whole."""
    return replace(plan, rate=min(plan.rate, max(1.0, round(SHARE * capacity(plan.url, plan.model), 1))))


@functools.cache
def capacity(url: str, model: str) -> float:
    """Requests a second that are answered when more are sent, streams beside them. Measured once a process."""
    plan = Plan(url, "pace", rate=RATE, streams=STREAMS, stream_seconds=(2.0,), timeout=60.0, model=model)
    with (
        tempfile.TemporaryDirectory(prefix="steadfast-pace-") as folder,
        LoadRun(plan, Path(folder) / "load.json", Path(folder) / "load.log") as load,
    ):
        time.sleep(SECONDS)
        return answered(load.stop())


def answered(result: dict[str, Any]) -> float:
    """Good answers a second, over the time until the last of them."""
    last = max((server["active_ms"][-1][1] for server in result["servers"].values() if server["active_ms"]), default=0)
    return float(result["requests"]["ok"] / (last / 1000)) if last else 0.0

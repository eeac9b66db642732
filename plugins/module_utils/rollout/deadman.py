# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a balancer does with servers that a dead controller left out of traffic. Pure.

Only once the lease that took them out has run out, by this host's own uptime; only those that were in traffic before;
and back into traffic only by probation and with a proof, like every server. What does not get well is quarantined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..haproxy.records import Server
from .state import Run


@dataclass(frozen=True)
class Move:
    """What to do with one server: `probation`, `prove` (then return it) or `quarantine`, and why."""

    server: str
    act: str
    why: str = ""
    weight: int | None = None


def moves(
    run: Run, balancer: str, servers: Mapping[str, Server], marks: Mapping[str, Any], uptime: float, patience: float
) -> list[Move]:
    """Decide for every server that the run touched.

    Args:
        balancer: this balancer's name in the journal.
        servers: the pool at this balancer.
        marks: what was done before for this run: server to {state, since (seconds of uptime), why}.
        uptime: now, in seconds of uptime.
        patience: seconds that a server may take to pass its checks and its proof.
    """
    found = []
    for name in run.touched():
        server = servers.get(name)
        prior = run.prior.get(name, {}).get(balancer, {})
        if server is None or prior.get("state", "ready") != "ready" or name in run.quarantined:
            continue
        mark = marks.get(name, {})
        # What was returned once is the operators' again: who takes it out afterwards has a reason.
        weight = prior.get("weight")
        ramping = server.up and bool(weight) and server.own_weight < int(weight or 0)
        if (server.admin_state == "ready" and not ramping) or mark.get("state") in ("quarantined", "returned"):
            continue
        waited = uptime - float(mark.get("since", uptime))
        if waited > patience:
            why = str(mark.get("why") or "its checks do not pass ({0})".format(server.check_status or "none ran"))
            found.append(Move(name, "quarantine", "not healthy after {0:.0f} s: {1}".format(waited, why), weight))
        elif server.admin_state == "maint":
            found.append(Move(name, "probation", "the lease of run {0} has run out".format(run.id), weight))
        elif server.checks_pass:
            # One that was left in the middle of its ramp gets its weight back the same way.
            found.append(Move(name, "prove", "the lease of run {0} has run out".format(run.id), weight))
        else:
            found.append(Move(name, "probation", "its checks do not pass yet", weight))
    return found

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans a rollout: which nodes change together, in which order, and whether it may begin at all. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..errors import Refused


@dataclass(frozen=True)
class Node:
    """One server of the pool, as found. `problem` says why it could not be looked at."""

    name: str
    release: str | None = None
    problem: str | None = None


@dataclass(frozen=True)
class BalancerView:
    """One balancer, as found: server name to (admin state, up). `holder`: it has the virtual IP."""

    name: str
    servers: dict[str, tuple[str, bool]] = field(default_factory=dict)
    holder: bool = False
    problem: str | None = None


@dataclass(frozen=True)
class Policy:
    """How careful to be. `min_available` None means: the pool without one batch, but never nothing."""

    max_parallel: int = 1
    min_available: int | None = None
    admit_drained: bool = False
    virtual_ip: bool = True


@dataclass(frozen=True)
class Plan:
    """What will happen. Balancers stand in the order of draining: standby first."""

    pool: str
    release: str
    batches: tuple[tuple[str, ...], ...]
    balancers: tuple[str, ...]
    min_available: int
    previous: dict[str, str | None]
    notes: tuple[str, ...]

    def text(self) -> str:
        """The plan as the operator reads it."""
        if not self.batches:
            return "\n".join(
                ["{0}: every server is on release {1}, nothing to do".format(self.pool, self.release), *self.notes]
            )
        lines = [
            "{0} to release {1}, {2} batch(es), at least {3} server(s) healthy at any time".format(
                self.pool, self.release, len(self.batches), self.min_available
            )
        ]
        for number, batch in enumerate(self.batches, 1):
            moves = ", ".join("{0} ({1})".format(name, self.previous[name] or "nothing") for name in batch)
            lines.append("  batch {0}: {1}".format(number, moves))
        lines.append("  drained at: {0}".format(", then ".join(self.balancers)))
        return "\n".join([*lines, *self.notes])


def make_plan(
    pool: str, release: str, nodes: Iterable[Node], balancers: Iterable[BalancerView], policy: Policy
) -> Plan:
    """Decide. Raises Refused with every reason at once; nothing has been changed then."""
    nodes, balancers = list(nodes), list(balancers)
    floor = max(1, len(nodes) - policy.max_parallel) if policy.min_available is None else policy.min_available
    reasons = [*_unfit_pool(pool, nodes, policy, floor), *_unfit_balancers(balancers, policy)]
    if not reasons:
        reasons = _out_of_traffic(nodes, balancers, policy)
    todo = [] if reasons else _todo(release, nodes, balancers)
    if todo:
        reasons = _too_little(todo, nodes, balancers, floor)
    if reasons:
        raise Refused(
            "the rollout was not begun: {0}. Nothing was changed.".format("; ".join(reasons)), reasons=reasons
        )
    down = [node.name for node in todo if not _up_everywhere(node.name, balancers)]
    return Plan(
        pool=pool,
        release=release,
        batches=_batches([node.name for node in todo], policy.max_parallel),
        balancers=tuple(view.name for view in sorted(balancers, key=lambda view: view.holder)),
        min_available=floor,
        previous={node.name: node.release for node in todo},
        notes=tuple("  {0} is out of service and goes first".format(name) for name in down),
    )


def _unfit_pool(pool: str, nodes: list[Node], policy: Policy, floor: int) -> list[str]:
    reasons = ["{0}: {1}".format(node.name, node.problem) for node in nodes if node.problem]
    if not nodes:
        reasons.append("pool {0} has no servers".format(pool))
    if policy.max_parallel < 1:
        reasons.append("max_parallel is {0}, but a batch needs at least one server".format(policy.max_parallel))
    if floor < 0 or (nodes and floor >= len(nodes)):
        reasons.append(
            "min_available is {0}, but one of {1} server(s) must be taken out, so it can be {2} at most".format(
                floor, len(nodes), len(nodes) - 1
            )
        )
    elif nodes and policy.max_parallel > len(nodes) - floor:
        reasons.append(
            "max_parallel is {0}, but min_available {1} of {2} servers allows {3} at a time".format(
                policy.max_parallel, floor, len(nodes), len(nodes) - floor
            )
        )
    return reasons


def _unfit_balancers(balancers: list[BalancerView], policy: Policy) -> list[str]:
    reasons = ["{0}: {1}".format(view.name, view.problem) for view in balancers if view.problem]
    if not balancers:
        reasons.append("there is no balancer")
    holders = [view.name for view in balancers if view.holder]
    if policy.virtual_ip and not reasons and len(holders) != 1:
        reasons.append("the virtual IP is held by {0}".format(" and ".join(holders) or "no balancer"))
    return reasons


def _out_of_traffic(nodes: list[Node], balancers: list[BalancerView], policy: Policy) -> list[str]:
    reasons = []
    for node in nodes:
        absent = [view.name for view in balancers if node.name not in view.servers]
        if absent:
            reasons.append("{0} is not a server of the pool on {1}: run site.yml".format(node.name, ", ".join(absent)))
            continue
        out = [
            "{0} on {1}".format(view.servers[node.name][0], view.name)
            for view in balancers
            if view.servers[node.name][0] != "ready"
        ]
        if out and not policy.admit_drained:
            reasons.append(
                "{0} was found in {1}: if an interrupted rollout left it there, -e admit_drained=true takes it along "
                "and back into traffic".format(node.name, ", ".join(out))
            )
    return reasons


def _up_everywhere(name: str, balancers: list[BalancerView]) -> bool:
    return all(view.servers[name][1] for view in balancers)


def _todo(release: str, nodes: list[Node], balancers: list[BalancerView]) -> list[Node]:
    """Nodes not on the release, or on it and out of service; those out of service first, as they cost no capacity."""
    wrong = [node for node in nodes if node.release != release or not _up_everywhere(node.name, balancers)]
    return sorted(wrong, key=lambda node: _up_everywhere(node.name, balancers))


def _too_little(todo: list[Node], nodes: list[Node], balancers: list[BalancerView], floor: int) -> list[str]:
    """The floor must hold for the first batch already, unless that batch only has servers that are out."""
    up = [node.name for node in nodes if _up_everywhere(node.name, balancers)]
    first = todo[0].name
    left = [name for name in up if name != first]
    if first in up and len(left) < floor:
        return [
            "with {0} out, {1} server(s) would be healthy ({2}), below min_available {3}".format(
                first, len(left), ", ".join(left) or "none", floor
            )
        ]
    return []


def _batches(names: list[str], size: int) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(names[start : start + size]) for start in range(0, len(names), size))

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans a rollout: which nodes change together, in which order, and whether it may begin at all. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import Refused
from .policy import Policy


@dataclass(frozen=True)
class Node:
    """One server of the pool, as found. `problem` says why it could not be looked at; `domain` what it fails with.

    `identities` has for each release declared for it the name by which it proves itself, which holds the digest.
    """

    name: str
    release: str | None = None
    problem: str | None = None
    domain: str = ""
    identities: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BalancerView:
    """One balancer, as found: server name to (admin state, up). `holder`: it has the virtual IP."""

    name: str
    servers: dict[str, tuple[str, bool]] = field(default_factory=dict)
    holder: bool = False
    problem: str | None = None


@dataclass(frozen=True)
class Plan:
    """What will happen. Balancers stand in the order of draining: standby first."""

    pool: str
    release: str
    batches: tuple[tuple[str, ...], ...]
    balancers: tuple[str, ...]
    min_available: int
    previous: dict[str, str | None]
    identities: dict[str, str]
    servers: tuple[str, ...]
    capacity: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """What must be the same for a run to go on: the pool's servers, and the release down to its artifacts."""
        what = [self.pool, self.release, sorted(self.servers), sorted(self.identities.items())]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """As the journal keeps it."""
        return dict(asdict(self), digest=self.digest)

    def text(self) -> str:
        """The plan as the operator reads it."""
        if not self.batches:
            head = "{0}: every server is on release {1}, nothing to do".format(self.pool, self.release)
            return "\n".join([head, *self.notes])
        lines = [
            "{0} to release {1}, {2} batch(es), at least {3} server(s) healthy at any time".format(
                self.pool, self.release, len(self.batches), self.min_available
            )
        ]
        for number, (batch, left) in enumerate(zip(self.batches, self.capacity), 1):
            moves = ", ".join("{0} ({1})".format(name, self.previous[name] or "nothing") for name in batch)
            lines.append("  batch {0}: {1}; {2} of {3} stay".format(number, moves, left, len(self.servers)))
        lines.append("  drained at: {0}".format(", then ".join(self.balancers)))
        return "\n".join([*lines, *self.notes])


def make_plan(
    pool: str,
    release: str,
    nodes: Iterable[Node],
    balancers: Iterable[BalancerView],
    policy: Policy,
    virtual_ip: bool = True,
    left_behind: Collection[str] = (),
) -> Plan:
    """Decide. `left_behind` are servers that an unfinished run may have left out of traffic: they are taken along.

    Raises Refused with every reason at once; nothing has been changed then.
    """
    out_nodes, out_balancers = set(policy.values["nodes_excluded"]), set(policy.values["balancers_excluded"])
    nodes, balancers = list(nodes), list(balancers)
    excluded = _strangers(nodes, balancers, out_nodes, out_balancers)
    nodes = [node for node in nodes if node.name not in out_nodes]
    balancers = [view for view in balancers if view.name not in out_balancers]
    floor = policy.min_available
    reasons = [*excluded, *_undeclared(release, nodes), *_unfit_pool(pool, nodes, policy, floor)]
    reasons += _unfit_balancers(balancers, virtual_ip and not out_balancers)
    if not reasons:
        reasons = _out_of_traffic(nodes, balancers, policy, left_behind)
    todo = [] if reasons else _todo(release, nodes, balancers)
    batches = _batches(todo, policy)
    up = [] if reasons else [node.name for node in nodes if _up_everywhere(node.name, balancers)]
    capacity = _capacity(batches, up)
    if not reasons:
        reasons = _too_little(batches, capacity, up, floor)
    if reasons:
        raise Refused(
            "the rollout was not begun: {0}. Nothing was changed.".format("; ".join(reasons)), reasons=reasons
        )
    return Plan(
        pool=pool,
        release=release,
        batches=batches,
        balancers=tuple(view.name for view in sorted(balancers, key=lambda view: view.holder)),
        min_available=floor,
        previous={node.name: node.release for node in todo},
        identities={node.name: node.identities[release] for node in todo},
        servers=tuple(node.name for node in nodes),
        capacity=capacity,
        notes=_notes(todo, up, out_nodes | out_balancers),
    )


def _strangers(nodes: list[Node], views: list[BalancerView], out_nodes: set[str], out_views: set[str]) -> list[str]:
    reasons = []
    for key, names, known in (
        ("nodes_excluded", out_nodes, {node.name for node in nodes}),
        ("balancers_excluded", out_views, {view.name for view in views}),
    ):
        if names - known:
            reasons.append("{0} names {1}, which there is not".format(key, ", ".join(sorted(names - known))))
    return reasons


def _undeclared(release: str, nodes: list[Node]) -> list[str]:
    lacking = [node.name for node in nodes if release not in node.identities]
    if not lacking:
        return []
    known = sorted({name for node in nodes for name in node.identities})
    return [
        "there is no release {0!r} for {1}: -e release=NAME takes one that model_server_releases declares ({2})".format(
            release, ", ".join(lacking), ", ".join(known) or "none"
        )
    ]


def _unfit_pool(pool: str, nodes: list[Node], policy: Policy, floor: int) -> list[str]:
    reasons = [
        "{0}: {1} (to go on without it: nodes_excluded)".format(node.name, node.problem)
        for node in nodes
        if node.problem
    ]
    if not nodes:
        reasons.append("pool {0} has no servers".format(pool))
    elif floor >= len(nodes):
        reasons.append(
            "min_available is {0}, but one of {1} server(s) must be taken out, so it can be {2} at most".format(
                floor, len(nodes), len(nodes) - 1
            )
        )
    elif policy.max_parallel > len(nodes) - floor:
        reasons.append(
            "max_parallel is {0}, but min_available {1} of {2} servers allows {3} at a time".format(
                policy.max_parallel, floor, len(nodes), len(nodes) - floor
            )
        )
    return reasons


def _unfit_balancers(balancers: list[BalancerView], virtual_ip: bool) -> list[str]:
    reasons = [
        "{0}: {1} (to go on without it: balancers_excluded)".format(view.name, view.problem)
        for view in balancers
        if view.problem
    ]
    if not balancers:
        reasons.append("there is no balancer")
    holders = [view.name for view in balancers if view.holder]
    if virtual_ip and not reasons and len(holders) != 1:
        reasons.append("the virtual IP is held by {0}".format(" and ".join(holders) or "no balancer"))
    return reasons


def _out_of_traffic(
    nodes: list[Node], balancers: list[BalancerView], policy: Policy, left_behind: Collection[str]
) -> list[str]:
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
        if out and not policy.values["admit_drained"] and node.name not in left_behind:
            reasons.append(
                "{0} was found in {1}: admit_node.yml brings it back, and -e admit_drained=true takes it along "
                "and back into traffic".format(node.name, ", ".join(out))
            )
    return reasons


def _up_everywhere(name: str, balancers: list[BalancerView]) -> bool:
    return all(view.servers[name][1] for view in balancers)


def _todo(release: str, nodes: list[Node], balancers: list[BalancerView]) -> list[Node]:
    """Nodes not on the release, or on it and out of service; those out of service first, as they cost no capacity."""
    wrong = [node for node in nodes if node.release != release or not _up_everywhere(node.name, balancers)]
    return sorted(wrong, key=lambda node: _up_everywhere(node.name, balancers))


def _batches(todo: list[Node], policy: Policy) -> tuple[tuple[str, ...], ...]:
    """The canary, then max_parallel at a time; never two failure domains in one batch, a whole one where it fits."""
    domains: dict[str, list[str]] = {}
    for node in todo:
        domains.setdefault(node.domain if policy.values["failure_domain_key"] else "", []).append(node.name)
    batches: list[tuple[str, ...]] = []
    for names in domains.values():
        rest = names
        if not batches:
            batches.append(tuple(names[: policy.canary]))
            rest = names[policy.canary :]
        size = policy.max_parallel
        batches += [tuple(rest[start : start + size]) for start in range(0, len(rest), size)]
    return tuple(batch for batch in batches if batch)


def _capacity(batches: Iterable[tuple[str, ...]], up: list[str]) -> tuple[int, ...]:
    """Healthy servers that stay while each batch is out; a batch that is done counts again."""
    left, healthy = [], set(up)
    for batch in batches:
        left.append(len(healthy - set(batch)))
        healthy |= set(batch)
    return tuple(left)


def _too_little(batches: Iterable[tuple[str, ...]], capacity: Iterable[int], up: list[str], floor: int) -> list[str]:
    """The floor must hold for every batch, unless the batch only has servers that are out."""
    return [
        "with {0} out, {1} server(s) would be healthy, below min_available {2}".format(", ".join(batch), left, floor)
        for batch, left in zip(batches, capacity)
        if left < floor and set(batch) & set(up)
    ]


def _notes(todo: list[Node], up: list[str], excluded: set[str]) -> tuple[str, ...]:
    notes = ["  {0} is out of service and goes first".format(node.name) for node in todo if node.name not in up]
    notes += ["  {0} is left out, as was asked".format(name) for name in sorted(excluded)]
    return tuple(notes)

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator asked for (start, resume, rollback) against what the journal says: the run that follows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import Refused
from ..ledger.quorum import Ledger
from .plan import BalancerView, Node, make_plan
from .policy import Policy, settle
from .state import Run, runs, unfinished

MODES = ("start", "resume", "rollback")


@dataclass(frozen=True)
class Request:
    """Who asks for what. An empty release: the one of the unfinished run, or the one before."""

    mode: str
    pool: str
    release: str
    policy: Mapping[str, Any]
    virtual_ip: bool = True


@dataclass(frozen=True)
class Answer:
    """What to do: the plan, which of its batches are left (forward) or to take back (backward), and which run it is."""

    plan: dict[str, Any]
    policy: dict[str, Any]
    text: str
    run: str = ""
    forward: tuple[int, ...] = ()
    backward: tuple[int, ...] = ()
    reason: str = ""
    supersedes: str = ""
    tip: tuple[int, int] = (0, 0)
    spent: dict[str, int] = field(default_factory=dict)
    prior: dict[str, Any] = field(default_factory=dict)


def answer(request: Request, nodes: Iterable[Node], balancers: Iterable[BalancerView], ledger: Ledger) -> Answer:
    """Decide. Raises Refused with the reason and what to do; nothing has been changed then."""
    nodes, balancers = list(nodes), list(balancers)
    _free(request, ledger)
    left = unfinished(ledger.records)
    policy = settle(request.policy, len(nodes))
    if request.mode == "resume":
        return _resumed(request, nodes, policy, left, ledger)
    if left and request.mode == "start" and not policy.values["admit_drained"]:
        raise Refused(
            "run {0} of pool {1} to {2} was left unfinished by {3}: -e action=resume goes on with it, rollback.yml "
            "takes it back. Nothing was changed.".format(left.id, request.pool, left.release, left.owner)
        )
    release = request.release or (_before(request.pool, runs(ledger.records)) if request.mode == "rollback" else "")
    touched = left.touched() if left else []
    plan = make_plan(request.pool, release, nodes, balancers, policy, request.virtual_ip, touched)
    return Answer(
        plan=plan.to_dict(),
        policy=policy.to_dict(),
        text=plan.text(),
        forward=tuple(range(len(plan.batches))),
        supersedes=left.id if left else "",
        tip=ledger.tip,
        prior=left.prior if left else {},
    )


def _free(request: Request, ledger: Ledger) -> None:
    if ledger.left > 0:
        raise Refused(
            "pool {0} is held by {1} (run {2}) for {3:.0f} s more. Nothing was changed.".format(
                request.pool, ledger.owner, ledger.run, ledger.left
            ),
            held_by=ledger.owner,
            left=ledger.left,
        )


def _resumed(request: Request, nodes: list[Node], policy: Policy, left: Run | None, ledger: Ledger) -> Answer:
    if left is None:
        past = runs(ledger.records)
        last = "the last one, {0}, {1}".format(past[-1].id, past[-1].outcome) if past else "there never was one"
        raise Refused("no run of pool {0} is unfinished: {1}. Nothing was changed.".format(request.pool, last))
    if request.release and request.release != left.release:
        raise Refused("the unfinished run {0} goes to {1}, not to {2}".format(left.id, left.release, request.release))
    _same(left, nodes)
    forward, backward = left.forward(), left.backward()
    lines = ["{0} to release {1}, resumed: run {2} of {3}".format(left.pool, left.release, left.id, left.owner)]
    lines += ["  batch {0}: {1}".format(index + 1, ", ".join(left.batches[index])) for index in forward]
    lines += ["  take back batch {0}: {1}".format(index + 1, ", ".join(left.batches[index])) for index in backward]
    stored = dict(policy.to_dict(), min_available=left.plan["min_available"])
    return Answer(
        plan=left.plan,
        policy=stored,
        text="\n".join(lines),
        run=left.id,
        forward=tuple(forward),
        backward=tuple(backward),
        reason=left.failed,
        tip=ledger.tip,
        spent=left.spent,
        prior=left.prior,
    )


def _same(left: Run, nodes: list[Node]) -> None:
    """The pool and the release must be what they were, down to the artifacts' digests."""
    servers = sorted(node.name for node in nodes)
    planned = sorted(left.plan.get("servers", []))
    strange = sorted(set(planned) - set(servers))
    if strange:
        raise Refused("run {0} began with {1}, which the inventory lacks now".format(left.id, ", ".join(strange)))
    known = {node.name: node.identities for node in nodes}
    other = [
        name
        for name, identity in sorted(left.plan.get("identities", {}).items())
        if known[name].get(left.release) != identity
    ]
    if other:
        raise Refused(
            "release {0} is not what it was when run {1} began (on {2}): rollback.yml takes it back".format(
                left.release, left.id, ", ".join(other)
            )
        )


def _before(pool: str, past: list[Run]) -> str:
    """The release that the newest run moved the pool from; an unfinished run counts before it has moved anything."""
    moved = [run for run in past if run.plan and (run.open or (run.outcome == "succeeded" and run.phases))]
    releases = sorted({str(name) for name in moved[-1].plan["previous"].values() if name}) if moved else []
    if len(releases) != 1:
        raise Refused(
            "which release pool {0} was on before is {1}: say -e release=NAME. Nothing was changed.".format(
                pool, "not one but " + ", ".join(releases) if releases else "not in its journal"
            )
        )
    return releases[0]

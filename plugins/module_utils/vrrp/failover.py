# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the virtual IP may move to another balancer on purpose. Pure decisions on what the balancers said."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Side:
    """One balancer. `trouble` is why it could not be read; then nothing else of it is known.

    pools: {pool: {server: whether it is UP}}; out: servers that are drained or in maintenance, as pool/server;
    tables: {peer: whether its connection for shared tables stands}; let_go: reasons that keep it from holding.
    """

    name: str
    holder: bool = False
    state: str | None = None
    config: str | None = None
    served: str | None = None
    pools: dict[str, dict[str, bool]] = field(default_factory=dict)
    out: tuple[str, ...] = ()
    tables: dict[str, bool] = field(default_factory=dict)
    let_go: tuple[str, ...] = ()
    trouble: str = ""


@dataclass(frozen=True)
class Decision:
    """From where to where, and what speaks against it. Neither end: there is nothing to do."""

    source: str = ""
    target: str = ""
    objections: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """For the operator."""
        if not self.objections:
            moves = "The virtual IP moves from {0} to {1}.".format(self.source, self.target)
            return moves if self.source else "{0} holds the virtual IP already: nothing to do.".format(self.target)
        what = "to {0} ".format(self.target) if self.target else ""
        return "The virtual IP cannot move {0}now: {1}. Nothing was changed.".format(what, "; ".join(self.objections))


def decide(sides: list[Side], wanted: str) -> Decision:
    """Where it goes: to `wanted`, or from the holder to the first other one. Refused unless that one is fit."""
    names = [side.name for side in sides]
    if wanted and wanted not in names:
        return Decision(objections=("there is no balancer {0!r}; there are {1}".format(wanted, ", ".join(names)),))
    holders = [side for side in sides if side.holder]
    if len(holders) != 1:
        silent = ["{0} cannot be read ({1})".format(side.name, side.trouble) for side in sides if side.trouble]
        who = " and ".join(side.name for side in holders) or "nobody that can be read"
        return Decision(target=wanted, objections=("it is held by {0}".format(who), *silent))
    holder = holders[0]
    if holder.name == wanted:
        return Decision(target=wanted)
    target = next(side for side in sides if side.name == wanted or (not wanted and side is not holder))
    return Decision(holder.name, target.name, tuple(objections(holder, target)))


def objections(holder: Side, target: Side) -> list[str]:
    """What speaks against the target, each with its numbers."""
    name = target.name
    if target.trouble:
        return ["{0} cannot be read ({1})".format(name, target.trouble)]
    found = []
    if target.state != "BACKUP":
        known = target.state or "of unknown state (restart it there)"
        found.append("keepalived on {0} is {1}, not BACKUP".format(name, known))
    found += ["{0} is told to let go ({1})".format(name, reason) for reason in target.let_go]
    # A holder that cannot be read is a reason to move; there is only nothing to compare with.
    sides = [target] if holder.trouble else [holder, target]
    if len({side.config for side in sides}) > 1:
        found.append("{0} and {1} are configured differently: run site.yml".format(holder.name, name))
    for side in sides:
        if side.served != side.config:
            found.append(
                "{0} does not serve the configuration that lies there: was a reload refused?".format(side.name)
            )
    found += _pools(holder, target)
    if not holder.trouble and set(target.out) != set(holder.out):
        here, there = (", ".join(side.out) or "none" for side in (holder, target))
        found.append("servers out of traffic at {0}: {1}; at {2}: {3}".format(holder.name, here, name, there))
    found += ["its tables are not in sync with {0}".format(peer) for peer, good in target.tables.items() if not good]
    return found


def _pools(holder: Side, target: Side) -> list[str]:
    words = "pool {0} has {1} of {2} servers UP at {3}, but {4} at {5}"
    found = []
    for pool, servers in sorted(target.pools.items()):
        there, here = sum(servers.values()), sum(holder.pools.get(pool, {}).values())
        if there < here or not there:
            found.append(words.format(pool, here, len(servers), holder.name, there, target.name))
    return found

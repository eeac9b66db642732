# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ledger hosts say together: valid is what a majority has. Pure.

A new holder takes the newest journal among a majority, writes it to the others, and only then adds to it under a
higher fencing number; so whatever a majority once had is never lost (the rule by which Raft elects: Ongaro and
Ousterhout, 2014, section 5.4.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import PlatformError, Refused, Unreadable
from .records import Record, parse_line, tip


@dataclass(frozen=True)
class Copy:
    """One host's ledger. `problem` says why it could not be read."""

    records: tuple[Record, ...] = ()
    fence: int = 0
    owner: str = ""
    run: str = ""
    left: float = 0.0
    torn: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Ledger:
    """The hosts' ledgers taken together."""

    records: tuple[Record, ...]
    fence: int
    owner: str
    run: str
    left: float
    behind: tuple[str, ...]
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def tip(self) -> tuple[int, int]:
        """Fence and seq of the newest record."""
        return tip(self.records)


def majority(hosts: Iterable[str]) -> int:
    """How many of these hosts make a majority: 2 of 3, and both of 2."""
    return len(list(hosts)) // 2 + 1


def copy_from(result: Mapping[str, Any]) -> Copy:
    """Read what one host's rollout_ledger_info said; what cannot be understood is a problem, never an empty ledger."""
    if result.get("failed") or result.get("unreachable") or "lease" not in result:
        return Copy(problem=str(result.get("msg") or "gave no answer").strip()[:300])
    try:
        lease = result["lease"]
        return Copy(
            records=tuple(parse_line(line) for line in result["journal"]),
            fence=int(lease["fence"]),
            owner=str(lease["owner"]),
            run=str(lease["run"]),
            left=float(lease["left"]),
            torn=bool(result["torn"]),
        )
    except (KeyError, TypeError, ValueError, PlatformError) as error:
        return Copy(problem="its answer cannot be understood: {0}".format(error))


def settle(copies: Mapping[str, Copy], excluded: Iterable[str] = ()) -> Ledger:
    """Take the copies together; `excluded` hosts are those an operator has named as gone, and do not count.

    Raises Unreadable when less than a majority could be read: then nobody can say what happened last.
    """
    hosts = {name: found for name, found in copies.items() if name not in set(excluded)}
    readable = {name: found for name, found in hosts.items() if not found.problem}
    problems = {name: found.problem for name, found in hosts.items() if found.problem}
    need = majority(hosts)
    if len(readable) < need or not hosts:
        raise Unreadable(
            "{0} of {1} ledger hosts can be read, {2} are needed ({3})".format(
                len(readable), len(hosts), need, _listed(problems) or "there is none"
            ),
            problems=problems,
        )
    newest = max(readable.values(), key=lambda found: tip(found.records))
    held = _held(list(readable.values()), need)
    return Ledger(
        records=newest.records,
        fence=max(found.fence for found in readable.values()),
        owner=held.owner,
        run=held.run,
        left=held.left,
        behind=tuple(sorted(name for name, found in readable.items() if found.records != newest.records or found.torn)),
        problems=problems,
    )


def agreed(results: Mapping[str, Mapping[str, Any]], excluded: Iterable[str] = ()) -> dict[str, str]:
    """Judge a write to all: hosts that did not take it, with the reason. Raises Refused without a majority.

    A minority that refuses (it was away and let the lease run out) is to be repaired. When the lease has passed on or
    run out at so many that no majority is left, this holder is late: `late` in the evidence.
    """
    hosts = {name: result for name, result in results.items() if name not in set(excluded)}
    failed = {
        name: str(result.get("msg") or "gave no answer").strip()[:300]
        for name, result in hosts.items()
        if result.get("failed") or result.get("unreachable")
    }
    if len(hosts) - len(failed) < majority(hosts):
        late = [hosts[name] for name in sorted(failed) if hosts[name].get("expired") or hosts[name].get("held_by")]
        raise Refused(
            "{0} of {1} ledger hosts took the record, {2} are needed ({3})".format(
                len(hosts) - len(failed), len(hosts), majority(hosts), _listed(failed)
            ),
            late=bool(late),
            **(_facts(late[0]) if late else {}),
        )
    return failed


def _held(readable: list[Copy], need: int) -> Copy:
    """The lease that cannot be taken yet: a majority has granted it. Fewer is an attempt that lost.

    By owner alone: a holder that raises its fencing number is heard at one host after the other.
    """
    for found in sorted(readable, key=lambda copy: copy.left, reverse=True):
        live = [other for other in readable if other.owner == found.owner and other.left > 0]
        if len(live) >= need:
            # What is left at a majority, not at the one that heard of it last.
            return replace(max(live, key=lambda copy: copy.fence), left=sorted(copy.left for copy in live)[-need])
    return Copy()


def _facts(result: Mapping[str, Any]) -> dict[str, Any]:
    return {key: result[key] for key in ("held_by", "left", "expired") if key in result}


def _listed(problems: Mapping[str, str]) -> str:
    return "; ".join("{0}: {1}".format(name, problem) for name, problem in sorted(problems.items()))

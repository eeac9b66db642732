# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict over a GlusterFS volume: healthy, degraded (it serves, and the next loss may end that), or lost."""

from __future__ import annotations

from dataclasses import dataclass, field

from .gluster import Backlog, Peer, Process, Volume

HEALTHY, DEGRADED, LOST = "healthy", "degraded", "lost"
# Findings that leave nobody served, or somebody with the wrong bytes.
FATAL = {"volume missing", "volume stopped", "quorum lost", "split brain"}
SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: what kind, where, and in words."""

    kind: str
    where: str
    text: str


@dataclass(frozen=True)
class Seen:
    """What was asked and answered. A backlog of None: it could not be asked.

    Args:
        name: of the volume.
        volume: None when the cluster has none of this name.
        peers: the other servers.
        processes: by brick.
        backlog: by brick: files to be healed.
        split: by brick: files of which no copy is known to be the right one.
        clients: by brick: addresses that it has connections from.
    """

    name: str
    volume: Volume | None
    peers: list[Peer]
    processes: dict[str, Process]
    backlog: dict[str, Backlog] | None
    split: dict[str, Backlog] | None
    clients: dict[str, frozenset[str]] = field(default_factory=dict)


def findings(seen: Seen, min_free: float) -> list[Finding]:
    """What is wrong, the worst first. `min_free` is a fraction of a brick's file system."""
    if seen.volume is None:
        return [Finding("volume missing", seen.name, "the cluster has no volume {0}".format(seen.name))]
    found = [] if seen.volume.started else [_stopped(seen.volume)]
    found += _quorum(seen.volume, seen.processes)
    found += _split(seen)
    found += [
        Finding("peer gone", peer.names[0], "{0} is not connected".format("/".join(peer.names)))
        for peer in seen.peers
        if not (peer.connected and peer.member)
    ]
    found += [
        Finding("brick offline", brick.name, "brick {0} does not run".format(brick.name))
        for brick in seen.volume.bricks
        if not _online(brick.name, seen.processes)
    ]
    return found + _heal(seen) + _apart(seen) + _space(seen.processes, min_free)


def verdict(found: list[Finding]) -> str:
    """The one word for all of it."""
    if not found:
        return HEALTHY
    return LOST if any(finding.kind in FATAL for finding in found) else DEGRADED


def pending(backlog: dict[str, Backlog] | None) -> int | None:
    """Files to be healed, as the brick counts that knows of most; None when any of them could not be asked."""
    counts = [one.entries for one in (backlog or {}).values()]
    known = [count for count in counts if count is not None]
    return max(known) if known and len(known) == len(counts) else None


def _online(name: str, processes: dict[str, Process]) -> bool:
    return name in processes and processes[name].online


def _stopped(volume: Volume) -> Finding:
    return Finding("volume stopped", volume.name, "volume {0} is not started".format(volume.name))


def _quorum(volume: Volume, processes: dict[str, Process]) -> list[Finding]:
    up = sum(_online(brick.name, processes) for brick in volume.bricks)
    if not volume.started or 2 * up > len(volume.bricks):
        return []
    text = "{0} of {1} bricks run: too few to read or write".format(up, len(volume.bricks))
    return [Finding("quorum lost", volume.name, text)]


def _split(seen: Seen) -> list[Finding]:
    files = sorted({file for one in (seen.split or {}).values() for file in one.files})
    if not files:
        return []
    shown = ", ".join(files[:SHOWN]) + (" and {0} more".format(len(files) - SHOWN) if len(files) > SHOWN else "")
    text = "no copy is known to be the right one of {0}: choose with `gluster volume heal {1} split-brain`"
    return [Finding("split brain", seen.name, text.format(shown, seen.name))]


def _heal(seen: Seen) -> list[Finding]:
    count = pending(seen.backlog)
    if count is None:
        return [Finding("heal unknown", seen.name, "not every brick could say what is to be healed")]
    if count == 0:
        return []
    return [Finding("heal pending", seen.name, "{0} files are to be healed".format(count))]


def _apart(seen: Seen) -> list[Finding]:
    running = {name: there for name, there in seen.clients.items() if _online(name, seen.processes)}
    every = frozenset().union(*running.values())
    text = (
        "client {0} has no connection to brick {1}, so it has fewer copies than there are: `gluster volume set {2} "
        "performance.readdir-ahead on`, and off again, has all clients connect anew"
    )
    return [
        Finding("client apart", client, text.format(client, name, seen.name))
        for name, there in sorted(running.items())
        for client in sorted(every - there)
    ]


def _space(processes: dict[str, Process], min_free: float) -> list[Finding]:
    low = [(name, one) for name, one in sorted(processes.items()) if one.size and one.free < min_free * one.size]
    text = "brick {0} has {1:.0%} of its file system free"
    return [Finding("space low", name, text.format(name, one.free / one.size)) for name, one in low]

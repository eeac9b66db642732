# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one storage server tells Prometheus of a volume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..exposition import gauges
from .health import Finding, Seen, pending

HELP = {
    "steadfast_store_last_run_timestamp_seconds": "When this server was last asked.",
    "steadfast_store_last_run_success": "1 when its daemon answered.",
    "steadfast_store_volume_started": "1 for a volume that is started.",
    "steadfast_store_peer_connected": "1 for another server that is a member and connected.",
    "steadfast_store_brick_online": "1 for a brick whose process runs.",
    "steadfast_store_brick_size_bytes": "Size of the brick's file system.",
    "steadfast_store_brick_free_bytes": "What of it is free.",
    "steadfast_store_heal_pending_files": "Files to be healed; absent while not every brick can say.",
    "steadfast_store_split_brain_files": "Files without a copy known to be right; absent while a brick cannot say.",
    "steadfast_store_findings": "Things that are wrong, by kind.",
}
# Told also when there are none, so that a rule can tell none from nobody asked.
KINDS = ("client apart", "heal pending", "space low")

Sample = tuple[str, dict[str, str], float]


def textfile(volume: str, seen: Seen | None, found: list[Finding], at: float) -> str:
    """Metrics as the exposition format has them. `seen` is None when the daemon did not answer; `at` in seconds."""
    return gauges(HELP, _samples(volume, seen, found, at))


def _samples(name: str, seen: Seen | None, found: list[Finding], at: float) -> Iterator[Sample]:
    volume = {"volume": name}
    yield "steadfast_store_last_run_timestamp_seconds", volume, at
    yield "steadfast_store_last_run_success", volume, seen is not None
    if seen is None:
        return
    yield "steadfast_store_volume_started", volume, bool(seen.volume and seen.volume.started)
    for peer in seen.peers:
        yield "steadfast_store_peer_connected", {"peer": "/".join(peer.names)}, peer.connected and peer.member
    for brick in seen.volume.bricks if seen.volume else ():
        labels, process = {**volume, "brick": brick.name}, seen.processes.get(brick.name)
        yield "steadfast_store_brick_online", labels, bool(process and process.online)
        if process and process.size:
            yield "steadfast_store_brick_size_bytes", labels, process.size
            yield "steadfast_store_brick_free_bytes", labels, process.free
    if (count := pending(seen.backlog)) is not None:
        yield "steadfast_store_heal_pending_files", volume, count
    if seen.split is not None:
        yield "steadfast_store_split_brain_files", volume, len({f for one in seen.split.values() for f in one.files})
    counted = Counter(dict.fromkeys(KINDS, 0))
    counted.update(finding.kind for finding in found)
    for kind, number in sorted(counted.items()):
        yield "steadfast_store_findings", {**volume, "kind": kind}, number

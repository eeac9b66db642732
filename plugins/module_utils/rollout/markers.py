# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pool's ledger tells Prometheus: whether somebody changes the pool now, and how the last run went.

Dashboards draw it, and who learns what is usual does not learn while a pool is held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from ..exposition import gauges
from ..ledger.records import Record
from .state import CLOSED, runs

HELP = {
    "steadfast_pool_held": "1 while somebody holds the pool's lease, as a rollout does.",
    "steadfast_pool_run_open": "1 until the journal says how the last run ended.",
    "steadfast_pool_servers_in_change": "Servers that the last run has begun to change and not finished.",
    "steadfast_pool_run_began_timestamp_seconds": "When the last run began, by its controller's clock.",
    "steadfast_pool_run_ended_timestamp_seconds": "When the last run ended, and how, by its controller's clock.",
}


def textfile(pools: Mapping[str, tuple[bool, list[Record]]]) -> str:
    """Metrics of every pool, by its name: whether its lease is held, and its journal."""
    return gauges(HELP, (sample for pool, told in sorted(pools.items()) for sample in _samples(pool, *told)))


def _samples(pool: str, held: bool, records: list[Record]) -> Iterator[tuple[str, dict[str, str], float]]:
    yield "steadfast_pool_held", {"pool": pool}, held
    everything = runs(records)
    if not everything:
        return
    last = everything[-1]
    labels = {"pool": pool, "run": last.id, "release": last.release}
    yield "steadfast_pool_run_open", {"pool": pool}, last.open
    begun = [index for index, phase in last.doing.items() if phase not in ("verified", "reverted")]
    changing = sum(len(last.batches[index]) for index in begun if index < len(last.batches)) if last.open else 0
    yield "steadfast_pool_servers_in_change", {"pool": pool}, changing
    began = seconds(last.opened)
    if began is not None:
        yield "steadfast_pool_run_began_timestamp_seconds", labels, began
    ended = [seconds(record.at) for record in records if record.run == last.id and record.event == CLOSED]
    if ended and ended[-1] is not None:
        yield "steadfast_pool_run_ended_timestamp_seconds", {**labels, "outcome": last.outcome}, ended[-1]


def seconds(stamp: str) -> float | None:
    """Seconds since 1970 of an ISO 8601 time; None for what is none."""
    try:
        return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None

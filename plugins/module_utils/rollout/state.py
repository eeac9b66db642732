# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pool's journal says happened: its runs, how far each came, and what is left to do. Pure.

A record is written before the act that it names, so the journal says what may have been done; what was done is
looked at. Every step can be repeated, which is all that `resume` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..ledger.records import Record

# Events that begin and end a run.
OPENED, RESUMED, CLOSED = "run_opened", "run_resumed", "run_closed"
# What a batch goes through, in this order.
PHASES = ("draining", "changing", "admitting", "baking", "verified")


@dataclass
class Run:
    """One rollout as the journal tells it. `supersedes`: the run whose servers it has taken over.

    `phases` holds the last phase of every batch that was begun (by index), `doing` the same with the way back in it;
    `failed` the batch and the reason that ended the way forward, `condemned` whether a gate spoke against the release;
    `reverting` the batches to take back, `reverted` those that are; `prior` what each server's state and weight was at
    each balancer before it was first drained.
    """

    id: str
    pool: str = ""
    release: str = ""
    plan: dict[str, Any] = field(default_factory=dict)
    owner: str = ""
    opened: str = ""
    phases: dict[int, str] = field(default_factory=dict)
    doing: dict[int, str] = field(default_factory=dict)
    failed: str = ""
    condemned: bool = False
    reverting: tuple[int, ...] = ()
    reverted: list[int] = field(default_factory=list)
    quarantined: dict[str, str] = field(default_factory=dict)
    prior: dict[str, dict[str, Any]] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)
    outcome: str = ""
    reason: str = ""
    supersedes: str = ""

    @property
    def open(self) -> bool:
        """True until a record says how it ended."""
        return not self.outcome

    @property
    def batches(self) -> list[list[str]]:
        """The batches as planned."""
        return [list(batch) for batch in self.plan.get("batches", [])]

    def verified(self) -> list[int]:
        """Batches that baked well and were not taken back."""
        return [index for index, phase in sorted(self.phases.items()) if phase == "verified"]

    def forward(self) -> list[int]:
        """Batches still to bring to the new release; none once the run has turned back."""
        if self.failed or self.reverting:
            return []
        return [index for index in range(len(self.batches)) if self.phases.get(index) != "verified"]

    def backward(self) -> list[int]:
        """Batches still to take back, newest first."""
        return [index for index in sorted(self.reverting, reverse=True) if index not in self.reverted]

    def in_change(self, balancer: str) -> list[str]:
        """Servers to which this balancer must give no traffic now, by what the journal says.

        Their release is being switched; or they are drained, and the run knows nothing of this balancer, which was
        excluded because it was away. The others are told to drain by the run itself, when the capacity allows it.
        """
        known = balancer in self.plan.get("balancers", ())
        phases = ("changing",) if known else ("draining", "changing")
        return sorted(name for index, phase in self.doing.items() if phase in phases for name in self.batches[index])

    def touched(self) -> list[str]:
        """Servers that may be out of traffic because of this run."""
        return sorted({*self.prior, *(name for index in self.phases for name in self.batches[index])})


def runs(records: Iterable[Record]) -> list[Run]:
    """All runs of the journal, oldest first. An event that this version does not know changes nothing."""
    found: dict[str, Run] = {}
    for record in records:
        run = found.setdefault(record.run, Run(record.run))
        _apply(run, record)
        if record.event == OPENED and run.supersedes in found:
            # By the same record, so that no crash lies between the end of one run and the begin of the next.
            before = found[run.supersedes]
            before.outcome, before.reason = "superseded", "by run {0}".format(run.id)
    return list(found.values())


def unfinished(records: Iterable[Record]) -> Run | None:
    """The run that did not end, if the newest did not."""
    all_runs = runs(records)
    return all_runs[-1] if all_runs and all_runs[-1].open and all_runs[-1].plan else None


def to_revert(run: Run, failed: int, on_failure: str) -> tuple[int, ...]:
    """Which batches a failure takes back: the failed one, with the verified ones before it, or none."""
    if on_failure == "stop":
        return ()
    begun = tuple(index for index in sorted(run.phases) if index <= failed)
    return begun if on_failure == "revert_all" else tuple(index for index in begun if index == failed)


def condemns(verdicts: Iterable[dict[str, Any]]) -> bool:
    """Whether a gate spoke against the release, rather than that nobody could tell."""
    return any(verdict.get("verdict") == "fail" for verdict in verdicts)


def load_seconds(records: Iterable[Record], key: str) -> list[float]:
    """Earlier seconds to readiness of a model on a class of nodes, as changes recorded them, newest last."""
    found: list[float] = []
    for record in records:
        loads = record.data.get("load_seconds")
        if isinstance(loads, dict):
            found.extend(float(value) for name, value in loads.items() if name.split("|", 1)[-1] == key)
    return found[-50:]


def _apply(run: Run, record: Record) -> None:
    data = record.data
    if record.event in (OPENED, RESUMED):
        run.owner = str(data.get("owner", ""))
        if record.event == OPENED:
            _open(run, record)
    elif record.event in PHASES:
        run.doing[int(data["batch"])] = record.event
        if not data.get("back"):
            _phase(run, record)
    elif record.event == "failed":
        run.failed = str(data.get("reason") or "no reason given")
        run.condemned = condemns(data.get("verdicts") or ())
        run.reverting = tuple(int(index) for index in data.get("reverting", ()))
    elif record.event == "reverted":
        run.reverted.append(int(data["batch"]))
        run.doing[int(data["batch"])] = record.event
    elif record.event == "quarantined":
        run.quarantined.update({str(name): str(why) for name, why in data.get("nodes", {}).items()})
    elif record.event == CLOSED:
        run.outcome, run.reason = str(data.get("outcome", "unknown")), str(data.get("reason", ""))


def _open(run: Run, record: Record) -> None:
    run.plan = dict(record.data.get("plan", {}))
    run.pool, run.release = str(run.plan.get("pool", "")), str(run.plan.get("release", ""))
    run.opened = record.at
    run.supersedes = str(record.data.get("supersedes", ""))
    run.prior = dict(record.data.get("prior", {}))


def _phase(run: Run, record: Record) -> None:
    run.phases[int(record.data["batch"])] = record.event
    for name, prior in record.data.get("prior", {}).items():
        run.prior.setdefault(name, prior)
    for key, value in record.data.get("spent", {}).items():
        run.spent[key] = int(value)

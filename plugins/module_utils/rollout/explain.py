# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last rollout of a pool in words: every decision, its time, its numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..ledger.records import Record
from .state import PHASES, runs


def explain(pool: str, records: Iterable[Record]) -> str:
    """One line a record of the newest run, and one a verdict under it."""
    records = list(records)
    past = [run for run in runs(records) if run.plan]
    if not past:
        return "{0}: no rollout yet".format(pool)
    last = past[-1]
    state = last.outcome or "unfinished"
    lines = ["{0}: run {1} to {2}, {3}".format(pool, last.id, last.release, state)]
    for record in records:
        if record.run == last.id:
            lines.append("  {0}  {1}".format(record.at, _said(record, last.batches)))
            lines += ["      " + _verdict(each) for each in record.data.get("verdicts", []) if isinstance(each, dict)]
    return "\n".join(lines)


def _said(record: Record, batches: list[list[str]]) -> str:
    data = record.data
    if record.event in PHASES:
        names = ", ".join(batches[int(data["batch"])]) if int(data["batch"]) < len(batches) else "?"
        loads = data.get("load_seconds") or {}
        took = "; loaded in {0}".format(", ".join("{0:.1f} s".format(v) for v in loads.values())) if loads else ""
        return "{0} {1}{2}{3}".format(record.event, names, " back" if data.get("back") else "", took)
    if record.event in ("run_opened", "run_resumed"):
        also = ", in place of run {0}".format(data["supersedes"]) if data.get("supersedes") else ""
        return "{0} by {1}{2}".format("opened" if record.event == "run_opened" else "resumed", data.get("owner"), also)
    if record.event == "failed":
        return "failed: {0}".format(data.get("reason"))
    if record.event == "quarantined":
        return "quarantined: {0}".format("; ".join("{0}: {1}".format(*item) for item in data.get("nodes", {}).items()))
    if record.event == "run_closed":
        return "closed: {0} {1}".format(data.get("outcome"), data.get("reason", "")).rstrip()
    return record.event


def _verdict(verdict: dict[str, Any]) -> str:
    return "{0}: {1}, {2}".format(verdict.get("gate"), verdict.get("verdict"), verdict.get("reason"))

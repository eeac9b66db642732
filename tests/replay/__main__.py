# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make replay`: recorded storms of alerts, played through a policy. What would it have done?

STORM=FILE plays one alone; POLICY=FILE plays under another policy. Exit status 1 when anything is not as the storm's
file expects.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.benchmark.table import table

from .play import Play, play
from .storm import POLICY, STORMS, read_storm

HEAD = ("storm", "alerts", "done", "held back by")


def words(run: Play) -> str:
    """Every word of the guard, one line each, and what people did."""
    rows = [
        {
            "at": f"{int(row.at) // 3600}:{int(row.at) // 60 % 60:02}:{int(row.at) % 60:02}",
            "alert": row.alert or "-",
            "host": row.host or "-",
            "verdict": row.verdict,
            "rule": row.rule,
            "action": row.action or "-",
            "reason": row.reason,
        }
        for row in run.rows
    ]
    return table(rows)


def summary(runs: list[Play]) -> str:
    """One row a storm, as docs/guard.md has it."""
    lines = ["| " + " | ".join(HEAD) + " |", "| " + " | ".join("---" for _column in HEAD) + " |"]
    for run in runs:
        alerts = len({(row.alert, row.host) for row in run.rows if row.alert})
        acts = [act.split() for act in run.acts]
        done = ", ".join(f"{action} on {host} after {seconds} s" for seconds, host, action in acts) or "nothing"
        # An alert's end is told, too; there is nothing to hold back.
        said = {rule.split()[1]: count for rule, count in run.says().items() if rule != "refuse event"}
        held = ", ".join(f"{rule} {count}" for rule, count in said.items())
        lines.append(f"| {run.storm.title} | {alerts} | {done} | {held} |")
    return "\n".join(lines)


def main() -> int:
    """The words of each storm, the table of all, and what differs."""
    chosen = [Path(os.environ["STORM"])] if os.environ.get("STORM") else STORMS
    policy = Path(os.environ.get("POLICY") or POLICY)
    runs = [play(read_storm(path, policy)) for path in chosen]
    for run in runs:
        print(f"{run.storm.title}\n{run.storm.why}\n\n{words(run)}\n")
    print(summary(runs))
    wrong = [f"{run.storm.name}: {line}" for run in runs for line in run.differs()]
    print("\n".join(wrong) if wrong else "\nEvery storm went as its file expects.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

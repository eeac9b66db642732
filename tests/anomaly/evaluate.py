# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench-anomaly`: what the detectors find, miss and imagine, and how late, beside rules that draw bands.

SEEDS is `tuning` (the default) or `held-out`. An event is found when somebody speaks between its begin and half an hour
after its end. What is said within an hour of an earlier word, or while an event's traces are in the memory of whoever
speaks (as long as the event lasted, a day at most), is the same finding. Anything else that is said is imagined.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.consensus import Series

from tests.benchmark.table import table

from . import bands
from .generator import CALM_DAYS, DAY, Event, Labelled, make

SEEDS = {"tuning": range(0, 60), "held-out": range(5000, 5060)}
GRACE, QUIET = 6, 12


@dataclass
class Count:
    """Of one detector: events found and missed, findings that were imagined, samples until each was found."""

    found: int = 0
    missed: int = 0
    imagined: int = 0
    delays: list[int] = field(default_factory=list)

    def add(self, said: Sequence[bool], events: Sequence[Event]) -> None:
        """One series."""
        for event in events:
            first = next((n for n in range(event.start, min(event.end + GRACE, len(said))) if said[n]), None)
            if first is None:
                self.missed += 1
            else:
                self.found += 1
                self.delays.append(first - event.start)
        last = -QUIET
        for number in range(CALM_DAYS * DAY, len(said)):
            if not said[number]:
                continue
            fresh, last = number - last >= QUIET, number
            if fresh and not any(e.start <= number < e.end + max(GRACE, min(DAY, e.end - e.start)) for e in events):
                self.imagined += 1

    def row(self, name: str) -> dict[str, object]:
        """For the table. Delay is the median, in minutes."""
        found, said = self.found / max(1, self.found + self.missed), self.found + self.imagined
        delays = sorted(self.delays)
        return {
            "detector": name,
            "recall": round(found, 3),
            "precision": round(self.found / max(1, said), 3),
            "delay_min": 5 * delays[len(delays) // 2] if delays else None,
            "events": self.found + self.missed,
            "imagined": self.imagined,
        }


def speak(series: Labelled) -> dict[str, list[bool]]:
    """Who says what at each sample."""
    judge = Series(period=DAY, counts=series.kind == "queue")
    said: dict[str, list[bool]] = defaultdict(lambda: [False] * len(series.values))
    for number, value in enumerate(series.values):
        verdict = judge.observe(value, number)
        said["consensus"][number] = verdict.anomalous
        for name in verdict.votes:
            said[name][number] = True
    said["bands, adaptive"] = bands.adaptive(series.values)
    said["bands, robust"] = bands.robust(series.values)
    return said


def main() -> int:
    """The table, and one line a kind of event for the consensus."""
    which = os.environ.get("SEEDS", "tuning")
    counts: dict[str, Count] = defaultdict(Count)
    kinds: dict[str, Count] = defaultdict(Count)
    for seed in SEEDS[which]:
        series = make(seed)
        for name, said in speak(series).items():
            counts[name].add(said, series.events)
            if name == "consensus":
                for event in series.events:
                    kinds[event.kind].add(said[: event.end + GRACE], [event])
                kinds[series.kind].add(said, series.events)
    print(table([count.row(name) for name, count in sorted(counts.items())]))
    print(table([count.row(name) for name, count in sorted(kinds.items())]))
    return 0


if __name__ == "__main__":
    sys.exit(main())

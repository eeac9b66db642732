# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.checks AREA...`: run the areas' steps in order, all of them, and sum up. Exit 1 if any failed."""

from __future__ import annotations

import argparse
import sys

from tests.lab.settings import ROOT

from .runner import Outcome, run, tail
from .single import end_with_parent, turn
from .steps import AREAS, STEPS

INTERRUPTED = 130


def main() -> int:
    """Returns the exit status: 0 when every step passed, 1 when one failed, 130 when the run was ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.checks", description=__doc__)
    parser.add_argument("areas", nargs="+", choices=(*AREAS, "all"), metavar="AREA", help=", ".join((*AREAS, "all")))
    areas = parser.parse_args().areas
    steps = [step for step in STEPS if step.area in areas or ("all" in areas and not step.apart)]
    try:
        end_with_parent()
        with turn() as ours:
            outcomes = []
            for step in steps:
                print(f"{step.area}: {step.name}", flush=True)
                outcomes.append(run(step, ours, show="all" not in areas))
                _tell(outcomes[-1], shown="all" not in areas)
    except KeyboardInterrupt:
        print("Ended before its end: nothing was proved", file=sys.stderr)
        return INTERRUPTED
    print(summary(outcomes), flush=True)
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _tell(outcome: Outcome, shown: bool) -> None:
    if outcome.ok:
        return
    if not shown:
        print(tail(outcome.log))
    print(f"  {outcome.step.name}: FAILED, {outcome.log.relative_to(ROOT)} has it all", flush=True)


def summary(outcomes: list[Outcome]) -> str:
    """One table, then the line that sums it up in pytest's words."""
    lines = ["", f"{'area':<10} {'step':<16} {'result':<8} {'cases':>6} {'seconds':>8}"]
    lines += [
        f"{outcome.step.area:<10} {outcome.step.name:<16} {'ok' if outcome.ok else 'FAILED':<8} "
        f"{outcome.passed + outcome.failed:>6} {outcome.seconds:>8.1f}"
        for outcome in outcomes
    ]
    passed = sum(outcome.passed for outcome in outcomes)
    failed = sum(outcome.failed for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    return "\n".join([*lines, "", f"{passed} passed, {failed} failed in {seconds:.1f}s"])


if __name__ == "__main__":
    sys.exit(main())

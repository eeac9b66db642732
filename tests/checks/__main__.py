# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.checks AREA...`: run the areas' steps, all of them, and sum up. Exit 1 if any failed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.lab.settings import ROOT

from .runner import Outcome, run, tail
from .single import Turn, end_with_parent, turn
from .steps import AREAS, STEPS, Step

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
            together = [step for step in steps if "all" in areas and not step.lab]
            outcomes = list(_side_by_side(together, ours))
            for step in steps:
                if step not in together:
                    outcomes.append(_one(step, ours, show="all" not in areas))
                    _tell(outcomes[-1], shown="all" not in areas)
    except KeyboardInterrupt:
        print("Ended before its end: nothing was proved", file=sys.stderr)
        return INTERRUPTED
    print(summary(outcomes), flush=True)
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _one(step: Step, ours: Turn, show: bool = False) -> Outcome:
    print(f"{step.area}: {step.name}", flush=True)
    return run(step, ours, show)


def _side_by_side(steps: list[Step], ours: Turn) -> Iterator[Outcome]:
    """Two at a time: each of them keeps one core busy."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        waiting = [pool.submit(_one, step, ours) for step in steps]
        try:
            for each in waiting:
                outcome = each.result()
                _tell(outcome, shown=False)
                yield outcome
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            ours.end()
            raise


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

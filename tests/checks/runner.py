# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one step in a process group of its own, its output in build/logs, and leaves nothing of it behind."""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tests.lab.settings import ROOT

from .single import Turn, end_group
from .steps import Step, environment

LOGS = ROOT / "build" / "logs"
TAIL_LINES = 60
HEARTBEAT_S = 60
TIMED_OUT = 124
# The closing line of pytest: "=== 3 failed, 41 passed in 2.10s ===", or without its frame under -q.
CLOSING = re.compile(r"^(?:=+ )?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """How a step ended. `passed` and `failed` count pytest's cases where the step ran any, else the step itself."""

    step: Step
    returncode: int
    seconds: float
    passed: int
    failed: int
    log: Path

    @property
    def ok(self) -> bool:
        """Whether the step proved what it is there to prove."""
        return self.returncode == 0


def count_cases(output: str, ok: bool) -> tuple[int, int]:
    """Passed and failed cases over every pytest closing line in a log; a step that failed has at least one failure."""
    words = [word for closing in CLOSING.findall(output) for word in re.findall(r"(\d+) ([a-z]+)", closing)]
    passed = sum(int(amount) for amount, word in words if word == "passed")
    failed = sum(int(amount) for amount, word in words if word in ("failed", "error", "errors"))
    return (max(passed, 1), 0) if ok else (passed, max(failed, 1))


def run(step: Step, turn: Turn, show: bool) -> Outcome:
    """Run one step. With `show` its output is seen as it comes, else only that it still lives, once a minute."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{step.area}-{step.name.replace(' ', '-')}.log"
    started = time.monotonic()
    with log.open("w", encoding="utf-8") as sink, log.open(encoding="utf-8", errors="replace") as source:
        process = subprocess.Popen(
            step.argv,
            cwd=ROOT,
            env=environment(step),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        turn.runs(process.pid)
        try:
            returncode = _wait(process, step, source if show else None)
        finally:
            # An interrupt comes through here too.
            end_group(process.pid)
            process.wait()
            turn.ended(process.pid)
    passed, failed = count_cases(log.read_text(encoding="utf-8", errors="replace"), returncode == 0)
    return Outcome(step, returncode, time.monotonic() - started, passed, failed, log)


def _wait(process: subprocess.Popen[bytes], step: Step, source: TextIO | None) -> int:
    """Wait for the step's end, or its limit."""
    started = told = time.monotonic()
    while True:
        try:
            returncode: int | None = process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            returncode = None
        now = time.monotonic()
        if source:
            print(source.read(), end="", flush=True)
        elif now - told >= HEARTBEAT_S:
            told = now
            print(f"  {step.name}: still running, {now - started:.0f} s", flush=True)
        if returncode is not None:
            return returncode
        if now - started > step.limit:
            print(f"  {step.name}: ended, it ran past its limit of {step.limit} s", flush=True)
            return TIMED_OUT


def tail(log: Path) -> str:
    """The last lines of a log, where a tool says what was wrong."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:])

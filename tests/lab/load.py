# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load client: `python -m tests.lab.load --url http://ADDRESS:PORT --out FILE`, or the class LoadRun.

It runs for --duration seconds or until SIGTERM or SIGINT, then waits until everything it sent has ended and writes
FILE. A second signal gives up what is still open (fate `abandoned`). Exit 0 when FILE is written, whatever is in it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from .load_loop import Load, Plan

ROOT = Path(__file__).resolve().parents[2]
PR_SET_PDEATHSIG = 1
# Time to start, and to write the result after the last deadline, on a busy machine.
SLACK_S = 30.0


class LoadError(Exception):
    """The client itself broke: there is no result, and nothing can be said about the service."""


class LoadRun:
    """A load client in a process of its own, while the block lasts. `stop` ends it and returns its result.

    Leaving the block without `stop` (an exception, Ctrl-C) kills it, and it does not outlive this process.
    """

    def __init__(self, plan: Plan, out: Path, log: Path | None = None) -> None:
        self._plan = plan
        self._out = out
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> LoadRun:
        self._out.parent.mkdir(parents=True, exist_ok=True)
        self._out.unlink(missing_ok=True)
        with self._log.open("wb") if self._log else contextlib.nullcontext() as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.lab.load", *arguments(self._plan, self._out), "--end-with-parent"],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                # Ctrl-C at the terminal is for the caller, who then kills this one.
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def running(self) -> bool:
        """Whether it still sends, or waits for its last answers."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> dict[str, Any]:
        """Send no more, wait until every request and stream has its fate, and return the result. Raises LoadError."""
        if not self._process:
            raise LoadError("the load client was not started")
        self._process.terminate()
        try:
            status = self._process.wait(self._plan.deadline + self._plan.timeout + SLACK_S)
        except subprocess.TimeoutExpired:
            raise LoadError("the load client did not end") from None
        if status != 0:
            raise LoadError(f"the load client ended with status {status}")
        result: dict[str, Any] = json.loads(self._out.read_text(encoding="utf-8"))
        return result


def arguments(plan: Plan, out: Path) -> list[str]:
    """The command line that `parse` reads back into the same plan."""
    words = [f"--{name.replace('_', '-')}={value}" for name, value in vars(plan).items() if value is not None]
    seconds = ",".join(str(each) for each in plan.stream_seconds)
    return [word for word in words if not word.startswith("--stream-seconds=")] + [
        f"--stream-seconds={seconds}",
        f"--out={out}",
    ]


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line, with one option for each field of the plan."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab.load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--url", required=True, help="where the service answers, for example http://172.30.40.100:8080")
    add("--out", required=True, type=Path, help="file for the result, JSON")
    add("--name", default=f"load-{os.getpid()}-{int(time.time())}", help="start of every request id")
    add("--rate", type=_positive, default=Plan.rate, help="requests per second (%(default)s)")
    add("--duration", type=_positive, help="seconds; without it, until a signal")
    add("--timeout", type=_positive, default=Plan.timeout, help="seconds for one request (%(default)s)")
    add("--streams", type=int, default=Plan.streams, help="streams kept open at the same time (%(default)s)")
    add("--stream-seconds", type=_list, default=Plan.stream_seconds, help="how long streams aim to be, in turn (4,25)")
    add("--stream-tokens-max", type=int, default=Plan.stream_tokens_max, help="longest stream asked for (%(default)s)")
    add("--token-rate", type=_positive, default=Plan.token_rate, help="first guess, tokens per second (%(default)s)")
    add("--deadline", type=_positive, default=Plan.deadline, help="seconds for one stream (%(default)s)")
    add("--model", default=Plan.model, help="model to ask for (%(default)s)")
    add("--end-with-parent", action="store_true", help="be killed when the process that started this one dies")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the load and write its result."""
    options = vars(parse(argv))
    out: Path = options.pop("out")
    if options.pop("end_with_parent"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _allow_many_connections()
    result = asyncio.run(_run(Plan(**options)))
    unfinished = out.with_name(f"{out.name}.tmp")
    unfinished.write_text(json.dumps(result, indent=1), encoding="utf-8")
    unfinished.replace(out)
    return 0


async def _run(plan: Plan) -> dict[str, Any]:
    load = Load(plan, tell=lambda line: print(f"load | {line}", file=sys.stderr, flush=True))

    def on_signal() -> None:
        (load.abandon if load.stopped() else load.stop)()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return await load.run()


def _allow_many_connections() -> None:
    """An open loop against a silent service opens rate x timeout connections: more than the usual 1024 files."""
    _soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not more than 0")
    return value


def _list(text: str) -> tuple[float, ...]:
    return tuple(_positive(word) for word in text.split(","))


if __name__ == "__main__":
    sys.exit(main())

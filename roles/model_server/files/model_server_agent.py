# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells HAProxy how busy an engine is: model_server_agent.py --release FILE --engine-port PORT ...

systemd opens the port and starts this when HAProxy asks for the first time. To each connection one line is said, as
HAProxy's agent-check takes it: `up 75%` for a share of the traffic, `up 0%` for no new requests, `down` for an engine
that hangs. It never says drain, maint or ready: those would undo what an operator or a rollout has set.

What to say is a pure decision (`say`) over what was seen (`Sight`). Standard library only, since it runs on the node.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import math
import os
import socket
import time
from dataclasses import dataclass, field

LIMIT = 4 * 1024 * 1024  # bytes of an engine's metrics
FRESH = 0.2  # seconds that a look is good for: both balancers ask
# Share of the cache for keys and values in use, 0 to 1: vLLM since 0.10 and before, llama.cpp while it had one.
CACHE_METRICS = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", "llamacpp:kv_cache_usage_ratio")
STEP = 5  # percent; a share that moves less is not worth telling


@dataclass
class Sight:
    """What was seen of an engine, up to now. Times in seconds of a clock that never jumps.

    answered: when it answered last; asked: when it was asked first since then, None while it answers.
    busy: requests that run or wait, None where it does not say; cache: share in use.
    progress: a number that rises while it works, and moved: when it rose last, or had nothing to do.
    """

    answered: float = 0.0
    asked: float | None = None
    silent: int = 0
    busy: float | None = None
    cache: float = 0.0
    progress: float | None = None
    moved: float = 0.0
    verdict: str = ""
    reason: str = field(default="", compare=False)

    def silence(self, began: float) -> None:
        """It was asked and did not answer."""
        self.asked = began if self.asked is None else self.asked
        self.silent += 1

    def answer(self, now: float, busy: float | None, cache: float, progress: float | None) -> None:
        """It answered."""
        self.answered, self.asked, self.silent = now, None, 0
        self.busy, self.cache = busy, cache
        if not busy or progress is None or progress != self.progress:
            self.moved = now
        self.progress = progress


def say(sight: Sight, now: float, slots: int, patience: float, stall: float) -> str:
    """The line for HAProxy.

    slots: requests that the engine runs at once; patience: seconds of silence that make it down; stall: seconds
    without progress, though it has work, that do.
    """
    if sight.verdict == "down":
        return "down #" + sight.reason
    if sight.asked is not None and sight.silent > 1 and now - sight.asked >= patience:
        return "down #no answer for {0:.1f} s".format(now - sight.asked)
    if sight.busy and now - sight.moved >= stall:
        return "down #{0:g} requests and no progress for {1:.0f} s".format(sight.busy, now - sight.moved)
    if sight.verdict == "drain":
        return "up 0% #" + sight.reason
    used = max(0.0 if sight.busy is None else sight.busy / slots, sight.cache)
    return "up {0}%".format(max(1, STEP * round((100 - 99 * min(1.0, used)) / STEP)))


def total(lines: list[str], names: list[str]) -> float | None:
    """The sum of the named metrics; None when one is missing or no number, or none is named."""
    found = [[line for line in lines if line.startswith((name + " ", name + "{"))] for name in names]
    if not found or not all(found):
        return None
    try:
        values = [float((line.rpartition("}")[2] or line).split()["}" not in line]) for each in found for line in each]
    except (ValueError, IndexError):
        return None
    return sum(values) if all(map(math.isfinite, values)) else None


def read(engine: http.client.HTTPConnection, path: str) -> tuple[int, str]:
    """Status and body of a GET, bounded in size. Raises OSError or ValueError when there is no whole answer."""
    try:
        engine.request("GET", path)
        answer = engine.getresponse()
        body = answer.read(LIMIT + 1)
    except http.client.HTTPException as error:
        raise ValueError("no whole answer: {0}".format(error)) from error
    if len(body) > LIMIT:
        raise ValueError("longer than {0} bytes".format(LIMIT))
    return answer.status, body.decode("utf-8", "replace")


class Agent:
    """Looks at the engine when it is asked."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.sight = Sight()
        self.looked = -FRESH

    def line(self) -> str:
        """What to say now."""
        if time.monotonic() - self.looked >= FRESH:
            self.look()
            self.looked = time.monotonic()
        given = self.options
        return say(self.sight, time.monotonic(), given.slots, given.patience, given.stall)

    def look(self) -> None:
        """Ask the engine, and read the verdict on the node."""
        self.sight.verdict, self.sight.reason = self.verdict()
        release, began = self.release(), time.monotonic()
        try:
            with contextlib.closing(
                http.client.HTTPConnection("127.0.0.1", self.options.engine_port, timeout=self.options.timeout)
            ) as engine:
                # Whatever it says, it says something: its health is for HAProxy's own check.
                read(engine, release["ready_path"])
                lines = self.metrics(engine, release)
            cache = next((share for name in CACHE_METRICS if (share := total(lines, [name])) is not None), 0.0)
            busy, progress = (total(lines, release.get(key) or []) for key in ("running_metrics", "progress_metrics"))
        except (OSError, ValueError):
            self.sight.silence(began)
        else:
            self.sight.answer(time.monotonic(), busy, cache, progress)

    @staticmethod
    def metrics(engine: http.client.HTTPConnection, release: dict) -> list[str]:
        """Lines of the engine's metrics; none where it has none or is too busy to tell them."""
        if not release.get("running_metrics"):
            return []
        try:
            status, body = read(engine, release["metrics_path"])
        except (OSError, ValueError):
            return []
        return body.splitlines() if status == http.client.OK else []

    def release(self) -> dict:
        """How to ask the active release."""
        try:
            with open(self.options.release, encoding="utf-8") as stream:
                return json.load(stream)
        except (OSError, ValueError):
            return {"ready_path": "/health"}

    def verdict(self) -> tuple[str, str]:
        """What something else on the node has found, `down` or `drain` with its reason; nothing when it is old."""
        try:
            with open(self.options.verdict, encoding="utf-8") as stream:
                age = time.time() - os.fstat(stream.fileno()).st_mtime
                found = json.load(stream)
            if found["verdict"] in ("down", "drain") and age <= self.options.verdict_age:
                return found["verdict"], " ".join(str(found.get("reason", "")).split())[:100] or "verdict on the node"
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return "", ""


def serve(agent: Agent, listener: socket.socket) -> None:
    """For ever: one line to each who connects. Nothing is read, and nobody is waited for."""
    while True:
        connection, _address = listener.accept()
        with connection:
            connection.settimeout(1)
            try:
                connection.sendall((agent.line() + "\n").encode("ascii", "replace"))
            except OSError:
                continue


def main() -> None:
    """Entry point; systemd gives the listening socket as file descriptor 3."""
    parser = argparse.ArgumentParser(description="Tell HAProxy how busy an engine is.")
    parser.add_argument("--release", required=True, help="release.json of the active release")
    parser.add_argument("--engine-port", type=int, required=True)
    parser.add_argument("--slots", type=int, required=True, help="requests that the engine runs at once")
    parser.add_argument("--timeout", type=float, default=0.5, help="seconds for one answer of the engine")
    parser.add_argument("--patience", type=float, default=1.0, help="seconds of silence that make it down")
    parser.add_argument("--stall", type=float, default=30.0, help="seconds without progress that make it down")
    parser.add_argument("--verdict", default="/run/steadfast/verdict.json", help="what was found wrong on the node")
    parser.add_argument("--verdict-age", type=float, default=180.0, help="seconds that a verdict is good for")
    serve(Agent(parser.parse_args()), socket.socket(fileno=3))


if __name__ == "__main__":
    main()

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ExecStop of a model server: wait for running requests, ask the engine to end, and make sure that it does.

Standard library only, since it runs on the node. Counting running requests means the sum of the metrics that the
release names; an engine that cannot say is given the whole deadline, because unknown is never zero.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
import urllib.request

POLL = 0.2


def running(release: dict, port: str) -> float:
    """Requests that run or wait in the engine. Raises OSError or ValueError when the engine does not say."""
    url = "http://127.0.0.1:{0}{1}".format(port, release["metrics_path"])
    with urllib.request.urlopen(url, timeout=2) as answer:
        lines = answer.read(4 * 1024 * 1024).decode("utf-8", "replace").splitlines()
    total = 0.0
    for name in release["running_metrics"]:
        values = [line.rsplit(None, 1)[1] for line in lines if line.startswith((name + " ", name + "{"))]
        if not values:
            raise ValueError("no metric " + name)
        total += sum(map(float, values))
    return total


def wait_idle(release: dict, port: str, pid: int, seconds: float) -> None:
    """Return when the engine is idle or gone, or when the time is over.

    Idle means twice in a row: an engine counts a request as done a moment before the last of it is sent.
    """
    until = time.monotonic() + seconds
    idle = 0
    while time.monotonic() < until and alive(pid) and idle < 2:
        try:
            idle = idle + 1 if running(release, port) == 0 else 0
        except (OSError, ValueError):
            idle = 0
        time.sleep(POLL)


def alive(pid: int) -> bool:
    """True while the process exists and is no zombie."""
    try:
        with open("/proc/{0}/stat".format(pid), encoding="utf-8") as handle:
            return handle.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def end(pid: int, grace: float) -> None:
    """SIGTERM, and SIGKILL after `grace` seconds."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, signum)
        except ProcessLookupError:
            return
        until = time.monotonic() + grace
        while time.monotonic() < until:
            if not alive(pid):
                return
            time.sleep(POLL / 4)
        print("the engine did not end within {0:g} s of {1}".format(grace, signum.name), flush=True)


def main() -> None:
    """Entry point; systemd gives MAINPID and the unit's environment."""
    parser = argparse.ArgumentParser(description="Stop a model server without cutting its requests.")
    parser.add_argument("--release", required=True, help="release.json of the active release")
    parser.add_argument("--deadline", type=float, required=True, help="seconds to wait for running requests")
    parser.add_argument("--grace", type=float, required=True, help="seconds the engine may take to end")
    options = parser.parse_args()
    pid = int(os.environ.get("MAINPID") or 0)
    if not pid:
        return
    try:
        with open(options.release, encoding="utf-8") as handle:
            release = json.load(handle)
    except (OSError, ValueError):
        release = {"metrics_path": "/", "running_metrics": []}
    if release["running_metrics"]:
        wait_idle(release, os.environ["MODEL_SERVER_PORT"], pid, options.deadline)
    end(pid, options.grace)


if __name__ == "__main__":
    main()

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller that can be made to die: ansible-playbook in a process group of its own, watched by its events."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.chaos import story
from tests.lab.containers import Lab
from tests.lab.settings import INVENTORY, ROOT, cache


class Controller:
    """One run of a playbook, from a home of its own: nothing of another controller is there.

    Args:
        home: folder for what this controller keeps; its events lie there.
        environment: variables beside those of the lab.
    """

    def __init__(
        self, lab: Lab, home: Path, *arguments: str, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self.log = home / "output.txt"
        extra = ("-e", json.dumps({"rollout_events_folder": str(home / "rollouts")}))
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                ["ansible-playbook", "-i", str(INVENTORY), *arguments, *extra],
                cwd=ROOT,
                env={
                    **lab.environment,
                    "HOME": str(home),
                    "ANSIBLE_HOME": str(home / "ansible"),
                    "STEADFAST_CACHE": str(cache()),
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Controller:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait()

    def signal(self, number: int) -> None:
        """Send a signal to its main process and its group. A worker of a running task has a session of its own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def suspend(self, number: int) -> None:
        """Stop the whole machine that it is (SIGSTOP), workers too, or let it go on (SIGCONT)."""
        for pid in family(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def events(self) -> list[dict[str, Any]]:
        """What it told so far."""
        found = []
        for path in sorted(self.home.glob("rollouts/*/events.jsonl")):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                with contextlib.suppress(ValueError):
                    found.append(json.loads(line))
        return found

    def transitions(self) -> list[str]:
        """What its journal went through, such as `draining 1`."""
        names = []
        for event in self.events():
            if event["event"] in ("run_opened", "run_closed"):
                names.append(event["event"])
            elif event["event"] == "phase":
                names.append(f"{event['phase']} {event['batch']}")
        return names

    def until(self, wanted: Callable[[Controller], Any], seconds: float = 240) -> bool:
        """Wait for something of it; False when it ended before."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if wanted(self):
                return True
            if self.process.poll() is not None:
                return bool(wanted(self))
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds:g} s: {self.output()[-3000:]}")

    def reaches(self, transition: str) -> bool:
        """Wait for a transition such as `baking 2`."""
        return self.until(lambda each: transition in each.transitions())

    def end(self, seconds: float = 600) -> int:
        """Wait for its end, and return its exit status."""
        return self.process.wait(seconds)

    def output(self) -> str:
        """Everything it printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def last_line(self) -> str:
        """What an operator reads last."""
        lines = self.output().strip().splitlines()
        return lines[-1] if lines else ""


def family(pid: int) -> list[int]:
    """A process and all that came of it."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # After the command's name, which may hold anything: state, parent.
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def mend(lab: Lab, names: tuple[str, ...], home: Path, seconds: float = 150) -> story.Way:
    """Bring the lab to one good release with nothing drained and no run open, whatever was done to it."""
    for host in lab.hosts:
        if not lab.running(host):
            lab.start(host)
    end = time.monotonic() + seconds
    while not (here := story.whole(lab, names)):
        arguments = ("-e", "release=r1", "-e", "bake_time=1", "-e", "min_requests=0", "-e", "admit_drained=true")
        with Controller(lab, home, *story.ROLLBACK, *arguments) as controller:
            # A dead controller's lease has to run out first.
            if controller.end():
                assert time.monotonic() < end, controller.output()[-3000:]
                time.sleep(3)
    return story.Way(here, {"r1": "r2", "r2": "r1"}[here])

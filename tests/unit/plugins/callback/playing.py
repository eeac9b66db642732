# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real runs of ansible-playbook on localhost, with an action that tells whatever events its task says."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
ACTION = """
import json, os, time
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        given = self._task.args
        for event in given.get("events", []):
            line = event if isinstance(event, str) else json.dumps({"at": time.time(), **event})
            with open(os.environ["STEADFAST_BOARD"], "a", errors="surrogateescape") as board:
                board.write(line + "\\n")
            time.sleep(given.get("pause", 0))
        return given.get("result", {})
"""


def environment(**more: str) -> dict[str, str]:
    """This machine's environment without what would change the output."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in {"CI", "NO_COLOR", "TERM"} and not key.startswith(("ANSIBLE_", "STEADFAST_", "PYTEST_"))
    }
    return {
        **kept,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "HOME": kept["HOME"],
        **more,
    }


def command(folder: Path, tasks: list[dict[str, Any]], **play: Any) -> list[str]:
    """Write a playbook with these tasks; return the command that runs it."""
    (folder / "action_plugins").mkdir(exist_ok=True)
    (folder / "action_plugins" / "rollout_step.py").write_text(ACTION)
    content = [{"hosts": "all", "gather_facts": False, "connection": "local", **play, "tasks": tasks}]
    # JSON is YAML.
    (folder / "play.yml").write_text(json.dumps(content))
    return [str(PLAYBOOK), "-i", "localhost,", str(folder / "play.yml")]


def run(
    folder: Path, tasks: list[dict[str, Any]], play: dict[str, Any] | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run them, with standard output and error through pipes."""
    folder.mkdir(exist_ok=True)
    (folder / "tmp").mkdir(exist_ok=True)
    return subprocess.run(
        command(folder, tasks, **(play or {})),
        cwd=ROOT,
        env=environment(**{"TMPDIR": str(folder / "tmp"), **env}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def run_on_terminal(folder: Path, tasks: list[dict[str, Any]], **env: str) -> tuple[int, str]:
    """Run them on a terminal of 24 lines with 80 columns; exit status and all that was written to it."""
    (folder / "tmp").mkdir(exist_ok=True)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        command(folder, tasks),
        cwd=ROOT,
        env=environment(**{"TMPDIR": str(folder / "tmp"), "TERM": "xterm", **env}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    output = b""
    try:
        while piece := os.read(ours, 65536):
            output += piece
    except OSError:
        pass  # how Linux says that the other side is closed
    os.close(ours)
    return process.wait(120), output.decode()

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talks to systemd about one engine's unit, and to the kernel about its port."""

from __future__ import annotations

import glob
import os
from typing import Callable

from ..errors import PlatformError, Refused

# (argv) -> (return code, stdout, stderr)
Runner = Callable[["list[str]"], "tuple[int, str, str]"]


class Unit:
    """A model server's systemd unit.

    Args:
        name: for example model-server-serving.service.
        run: executes a command on the node.
    """

    def __init__(self, name: str, run: Runner) -> None:
        self.name = name
        self._run = run

    def _systemctl(self, *words: str) -> str:
        code, out, err = self._run(["systemctl", *words])
        if code:
            raise PlatformError("systemctl {0} failed: {1}".format(" ".join(words), (err or out).strip()[:400]))
        return str(out)

    def show(self) -> dict[str, str]:
        """The properties that tell whether the engine lives."""
        names = "LoadState,ActiveState,SubState,NRestarts,ExecMainStatus,InvocationID"
        lines = self._systemctl("show", self.name, "--property", names).splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def active(self) -> bool:
        """True when the engine's process runs. Raises Refused when the unit is not installed."""
        state = self.show()
        if state.get("LoadState") != "loaded":
            raise Refused("unit {0} is not installed: run the role model_server first".format(self.name))
        return state.get("ActiveState") == "active"

    def start(self) -> None:
        """Start the engine; returns when its program was executed."""
        self._systemctl("start", self.name)

    def stop(self) -> None:
        """Stop the engine. The unit bounds how long that takes."""
        self._systemctl("stop", self.name)

    def check_alive(self) -> None:
        """Raises PlatformError with the engine's last words when it died since it was started."""
        state = self.show()
        if (
            state.get("ActiveState") in ("active", "activating")
            and state.get("NRestarts") == "0"
            and state.get("SubState") not in ("auto-restart", "auto-restart-queued")
        ):
            return
        raise PlatformError(
            "the engine ended with status {0}: {1}".format(state.get("ExecMainStatus", "?"), self.last_words(state))
        )

    def last_words(self, state: dict[str, str]) -> str:
        """What this run of the unit wrote to the journal last: its first line about an error, or its last line."""
        run = "_SYSTEMD_INVOCATION_ID=" + state.get("InvocationID", "")
        code, out, _err = self._run(["journalctl", run, "--lines", "20", "--output", "cat", "--no-pager", "--quiet"])
        lines = [line.strip() for line in str(out).splitlines() if line.strip()] if code == 0 else []
        errors = [line for line in lines if "error" in line.lower()]
        return (errors or lines[-1:] or ["it said nothing"])[0][:300]


def port_owner(port: int, unit: str) -> str | None:
    """Program that listens on a TCP port and is not this unit's; None when the port is free or the unit's own.

    Source: proc(5), /proc/net/tcp: state 0A is LISTEN, field 9 the inode of the socket.
    """
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        inodes |= _listeners(table, port)
    if not inodes:
        return None
    wanted = {"socket:[{0}]".format(inode) for inode in inodes}
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(link) not in wanted:
                continue
            process = os.path.dirname(os.path.dirname(link))
            if unit in _text(process + "/cgroup"):
                return None
            return "{0} (pid {1})".format(_text(process + "/comm").strip(), os.path.basename(process))
        except OSError:
            continue
    return "a process that cannot be seen"


def _listeners(table: str, port: int) -> set[str]:
    found = set()
    for line in _text(table).splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
            found.add(fields[9])
    return found


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""

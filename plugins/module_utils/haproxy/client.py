# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talks to HAProxy through the master's socket, which reaches the current worker and those left by a reload.

Every dialogue is half-closed after the question and bounded in time and size: a client that does neither can wait
for ever (seen on HAProxy 2.6 just after a reload).
"""

from __future__ import annotations

import socket
import time

from ..atomic import replace
from ..errors import Refused, Unreadable
from .records import Server, Worker, parse_servers, parse_tables, parse_workers

MAX_REPLY = 64 * 1024 * 1024
# A line of commands is read into one buffer (tune.bufsize, 16 KiB by default).
MAX_LINE = 8 * 1024


class MasterSocket:
    """One balancer's master socket.

    Args:
        path: the unix socket of the master process (`haproxy -S`).
        timeout: seconds that one question may take, connecting and reading together.
    """

    def __init__(self, path: str, timeout: float = 5.0) -> None:
        self.path = path
        self.timeout = timeout

    def ask(self, command: str, worker: Worker | None = None) -> str:
        """Send one line and return the whole reply. Raises Unreadable when there is none, or not in time."""
        line = command if worker is None else "@!{0} {1}".format(worker.pid, command)
        deadline = time.monotonic() + self.timeout
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.settimeout(self.timeout)
                sock.connect(self.path)
                sock.sendall(line.encode() + b"\n")
                sock.shutdown(socket.SHUT_WR)
                reply = self._read(sock, deadline)
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
            raise Unreadable(
                "HAProxy's master socket {0} did not answer: {1}. Is haproxy running, with -S {0}?".format(
                    self.path, reason
                )
            ) from error
        if reply.startswith(("Can't find the target", "Can't connect to the target")):
            raise Unreadable("HAProxy worker {0} is gone".format(worker.pid if worker else "?"), reply=reply[:200])
        return reply

    def _read(self, sock: socket.socket, deadline: float) -> str:
        chunks: list[bytes] = []
        size = 0
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise socket.timeout("no end of the answer within {0} s".format(self.timeout))
            sock.settimeout(left)
            chunk = sock.recv(65536)
            if not chunk:
                return b"".join(chunks).decode("utf-8", "replace")
            size += len(chunk)
            if size > MAX_REPLY:
                raise OSError("the answer is longer than {0} bytes".format(MAX_REPLY))
            chunks.append(chunk)

    def workers(self) -> list[Worker]:
        """The current worker and every old one that still lives."""
        return parse_workers(self.ask("show proc"))

    def servers(self, worker: Worker) -> dict[tuple[str, str], Server]:
        """All servers as this worker sees them, by (backend, server)."""
        return parse_servers(self.ask("show stat -1 4 -1", worker), self.ask("show servers state", worker))

    def tables(self, worker: Worker) -> dict[str, bool]:
        """The peers that share tables with this worker, and whether each one's connection stands."""
        return parse_tables(self.ask("show peers", worker))

    def version(self) -> str:
        """HAProxy's version, as the master says it."""
        for line in self.ask("show version").splitlines():
            if line.strip():
                return line.strip()
        return "unknown"

    def order(self, commands: list[str], worker: Worker) -> None:
        """Give commands that answer nothing when they succeed. Raises Refused with HAProxy's own words otherwise."""
        for line in _lines(["@!{0} {1}".format(worker.pid, command) for command in commands]):
            reply = self.ask(line).strip()
            if reply:
                raise Refused("HAProxy refused `{0}`: {1}".format(line[:120], reply[:400]))

    def save_state(self, path: str, worker: Worker) -> None:
        """Write `show servers state` where the next worker reads it, so that admin states outlive this one.

        Replaces the file at once or not at all. Raises Unreadable when it cannot be written.
        """
        state = self.ask("show servers state", worker)
        if not state.startswith("1\n# "):
            raise Unreadable("`show servers state` is not version 1", reply=state[:200])
        try:
            replace(path, state, 0o600)
        except OSError as error:
            raise Unreadable("cannot save the server state to {0}: {1}".format(path, error)) from error


def _lines(commands: list[str]) -> list[str]:
    """Join commands into as few lines as HAProxy's buffer takes. Each keeps its prefix: the master splits at `;`."""
    lines: list[str] = []
    for command in commands:
        if lines and len(lines[-1]) + len(command) + 2 <= MAX_LINE:
            lines[-1] += "; " + command
        else:
            lines.append(command)
    return lines

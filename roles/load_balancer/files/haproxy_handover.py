# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand the servers' states from one HAProxy worker to the next: haproxy_handover.py save|reload SOCKET CONFIG FILE.

save: ask HAProxy's master socket, and replace FILE at once or not at all; without a whole answer the old file stays.
reload: save, tell the master ($MAINPID) to reload, wait until the new worker serves. Refused when nothing can be saved.
HAProxy takes a server's port from FILE rather than from its configuration (2.6 and 3.0), so the ports are written as
CONFIG, which is about to be loaded, has them. A weight that a load agent has set is nobody's intent: it is left out, or
it would outlive the agent. Exit status 1 and a line on standard error when it did not succeed.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import tempfile
import time

TIMEOUT = 5.0  # seconds for the connection and for each read
RELOAD_DEADLINE = 60.0  # seconds for the new worker to serve
LIMIT = 64 * 1024 * 1024  # bytes; thousands of servers are well below
AGENT_ENABLED = 0x04  # of srv_agent_state (HAProxy, include/haproxy/check-t.h: CHK_ST_ENABLED)


def ask(path: str, command: str) -> str:
    """Send one command, half-close, read to the end. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(TIMEOUT)
        sock.connect(path)
        sock.sendall(command.encode() + b"\n")
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
            if len(answer) > LIMIT:
                raise OSError("the answer does not end")
    return answer.decode("utf-8", "replace")


def configured_ports(text: str) -> dict[tuple[str, str], str]:
    """The port of every `server` line, by (backend, server)."""
    ports = {}
    backend = ""
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["backend"] and len(words) > 1:
            backend = words[1]
        match = re.match(r"\s*server\s+(\S+)\s+\S+:(\d+)(\s|$)", line)
        if match:
            ports[backend, match[1]] = match[2]
    return ports


def rewritten(state: str, ports: dict[tuple[str, str], str]) -> str:
    """The state with the ports given. Raises ValueError unless it is a whole answer of version 1."""
    lines = state.rstrip("\n").split("\n")
    if not state.endswith("\n") or len(lines) < 2 or lines[0] != "1" or not lines[1].startswith("# "):
        raise ValueError("not an answer to `show servers state`: {0!r}".format(state[:200]))
    names = lines[1][2:].split()
    backend, server, port = (names.index(name) for name in ("be_name", "srv_name", "srv_port"))
    weight, configured, agent = (names.index(name) for name in ("srv_uweight", "srv_iweight", "srv_agent_state"))
    for number, line in enumerate(lines[2:], start=2):
        row = line.split(" ")
        if len(row) != len(names):
            raise ValueError("a line with {0} fields instead of {1}: {2!r}".format(len(row), len(names), line[:200]))
        if int(row[agent]) & AGENT_ENABLED:
            row[weight] = row[configured]
        row[port] = ports.get((row[backend], row[server]), row[port])
        lines[number] = " ".join(row)
    return "\n".join(lines) + "\n"


def replace(path: str, text: str) -> None:
    """Write the file whole, or leave it. Raises OSError."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".server-state.")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def save(master: str, config: str, path: str) -> None:
    """Save the current worker's states. Raises OSError or ValueError; the file is then as it was."""
    with open(config) as stream:
        ports = configured_ports(stream.read())
    replace(path, rewritten(ask(master, "@1 show servers state"), ports))


def reloads(master: str) -> tuple[int, int]:
    """How often the master reloaded, and how often in a row it failed. Raises OSError or ValueError."""
    answer = ask(master, "show proc")
    match = re.search(r"^\d+\s+master\s+(\d+)\s+\[failed: (\d+)\]", answer, re.MULTILINE)
    if not match:
        raise ValueError("not an answer to `show proc`: {0!r}".format(answer[:200]))
    return int(match[1]), int(match[2])


def reload(master: str, pid: int) -> None:
    """Reload and wait. Raises OSError or ValueError when the new worker does not come to serve."""
    before = reloads(master)[0]
    os.kill(pid, signal.SIGUSR2)
    end = time.monotonic() + RELOAD_DEADLINE
    while True:
        time.sleep(0.05)
        try:
            done, failed = reloads(master)
            if done > before:
                break
        except (OSError, ValueError):
            # The master starts itself anew and is deaf for a moment.
            if time.monotonic() > end:
                raise
        if time.monotonic() > end:
            raise OSError("no new worker within {0:g} s".format(RELOAD_DEADLINE))
    if failed:
        raise OSError("the new worker did not come up, see the lines above in the journal; the old one still serves")


def main() -> int:
    """Entry point."""
    verb, master, config, path = sys.argv[1:]
    try:
        save(master, config, path)
        if verb == "reload":
            reload(master, int(os.environ["MAINPID"]))
    except (OSError, ValueError) as error:
        print("haproxy_handover {0}: {1}".format(verb, error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

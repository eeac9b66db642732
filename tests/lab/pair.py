# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's pair of balancers, as tests speak to it: each alone, and both through their virtual IP."""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .containers import Done, Lab

ASK = """
import socket, sys
with socket.socket(socket.AF_UNIX) as master:
    master.settimeout(5)
    master.connect("/run/haproxy-master.sock")
    master.sendall(sys.argv[1].encode() + b"\\n")
    master.shutdown(socket.SHUT_WR)
    print(b"".join(iter(lambda: master.recv(65536), b"")).decode(), end="")
"""


def complete(address: str, port: int = 8080, timeout: float = 10.0, request_id: str = "test") -> tuple[int, str]:
    """One completion on a connection of its own: status, and the server that answered."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        return on(connection, request_id)
    finally:
        connection.close()


def on(connection: http.client.HTTPConnection, request_id: str = "test") -> tuple[int, str]:
    """One completion on a connection that is already there."""
    body = json.dumps({"model": "tiny", "prompt": "hello", "max_tokens": 2, "temperature": 0})
    connection.request(
        "POST", "/v1/completions", body, {"Content-Type": "application/json", "X-Request-Id": request_id}
    )
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.headers.get("X-Served-By", "")


@contextmanager
def stream(address: str) -> Iterator[http.client.HTTPResponse]:
    """A stream of some seconds, its headers read; cut when left early."""
    connection = http.client.HTTPConnection(address, 8080, timeout=60)
    body = {"model": "tiny", "prompt": "hello", "max_tokens": 1000, "stream": True, "ignore_eos": True}
    connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
    try:
        yield connection.getresponse()
    finally:
        connection.close()


class Balancer:
    """One of the pair."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.name = name
        self.address = lab.hosts[name].address

    def run(self, *argv: str, check: bool = True) -> Done:
        """Run a command on the host."""
        return self.lab.exec(self.name, list(argv), check=check)

    def ask(self, command: str) -> str:
        """Ask HAProxy's master socket, which refuses for a moment while the master starts itself anew."""
        for _try in range(20):
            done = self.run("python3", "-c", ASK, command, check=False)
            if done.returncode == 0:
                return done.stdout
            time.sleep(0.1)
        raise AssertionError(f"HAProxy on {self.name} does not answer: {done.stderr}")

    def workers(self) -> list[str]:
        """Process ids: the current worker, then old ones."""
        lines = [line.split() for line in self.ask("show proc").splitlines()]
        return [words[0] for words in lines if words[1:2] == ["worker"]]

    def admin(self, server: str, worker: str = "@1") -> int:
        """The admin bits of a server of pool `serving`; 8 is a forced drain."""
        for line in self.ask(f"{worker} show servers state serving").splitlines():
            if line.split()[3:4] == [server]:
                return int(line.split()[6])
        raise AssertionError(f"{self.name} knows no server {server}")

    def servers(self, pool: str = "-1") -> list[dict[str, str]]:
        """A pool's servers as HAProxy's statistics show them; -1 means those of every pool."""
        header, *rows = (line.split(",") for line in self.ask(f"@1 show stat {pool} 4 -1").splitlines() if line)
        return [dict(zip(header, row, strict=False)) for row in rows]

    def server(self, name: str, pool: str = "serving") -> dict[str, str]:
        """One server of a pool."""
        return next(server for server in self.servers(pool) if server["svname"] == name)

    def at_rest(self) -> bool:
        """Whether all servers pass their checks and none has a request."""
        return all((server["status"], server["scur"]) == ("UP", "0") for server in self.servers("serving"))

    def served(self, count: int) -> Counter[str]:
        """Which servers answered so many requests; every one must."""
        answers = [complete(self.address) for _turn in range(count)]
        assert {status for status, _server in answers} == {200}
        return Counter(server for _status, server in answers)

    def holds(self, address: str) -> bool:
        """Whether it has the address on its interface."""
        return f" {address}/" in self.run("ip", "-4", "-oneline", "address", "show", "dev", "eth0").stdout


class Pair:
    """Both balancers and their virtual IP."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.virtual_ip = lab.virtual_ip
        self.balancers = [Balancer(lab, name) for name, host in lab.hosts.items() if "load_balancers" in host.groups]
        self.servers = sorted(name for name, host in lab.hosts.items() if "serving" in host.groups)

    def holder(self) -> Balancer:
        """The one balancer that has the virtual IP."""
        holders = [balancer for balancer in self.balancers if balancer.holds(self.virtual_ip)]
        assert len(holders) == 1, f"the virtual IP is held by {[balancer.name for balancer in holders]}"
        return holders[0]

    def standby(self) -> Balancer:
        """The other one."""
        holder = self.holder()
        return next(balancer for balancer in self.balancers if balancer is not holder)


def eventually(condition: Any, what: str, seconds: float = 15.0) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)

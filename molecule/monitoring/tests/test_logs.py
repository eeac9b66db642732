# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No line is lost: not by a cut network, not by killed processes at either end, not by whoever sends nonsense."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.containers import Lab
from tests.lab.pair import eventually

RESULTS = Path(__file__).parents[3] / "build" / "logs.jsonl"
# One of each Debian release on either side.
SENDERS = ("gpu1", "gpu2")
SERVERS = ("mon1", "mon2")
RATE = 500  # lines a second from each sender
CUT = 120 if os.environ.get("STEADFAST_CHAOS") == "whole" else 30  # seconds
PATIENCE = 300  # seconds until every line has arrived; seconds on an idle machine
LOGS = "/var/log/platform"

# Numbered lines at an even pace.
FLOOD = """
import sys, time
mark, rate, total = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
began, number = time.monotonic(), 0
while number < total:
    for number in range(number + 1, min(total, int((time.monotonic() - began) * rate)) + 1):
        print(f"{mark} number={number:07d} and as many more characters as a usual line of a log has, or nearly so")
    sys.stdout.flush()
    time.sleep(0.02)
"""
# How many lines with this mark there are, and how many of them are different.
COUNT = """
import glob, re, sys
found = []
for path in glob.glob(sys.argv[1] + "/*.log"):
    with open(path, errors="replace") as stream:
        found += re.findall(re.escape(sys.argv[2]) + r" number=(\\d{7})", stream.read())
print(len(found), len(set(found)))
"""
# Says something by RELP, as whoever reaches the port can.
SAY = """
import socket
texts = [text.encode().replace(b"LONG", b"y" * 300000) for text in TEXTS]
with socket.create_connection((ADDRESS, 20514), 10) as server:
    server.settimeout(10)
    offer = b"relp_version=0\\nrelp_software=test\\ncommands=syslog"
    server.sendall(b"1 open %d %s\\n" % (len(offer), offer))
    print(server.recv(4096))
    for number, text in enumerate(texts, 2):
        server.sendall(b"%d syslog %d %s\\n" % (number, len(text), text))
        print(server.recv(4096))
"""


@pytest.fixture(scope="module")
def mark() -> str:
    """What distinguishes this run's lines."""
    return f"run{time.time_ns() // 10**6 % 10**9}"


def flood(lab: Lab, mark: str, seconds: int) -> int:
    """Have both senders log. Returns how many lines each will have logged."""
    for name in SENDERS:
        unit = ["systemd-run", "--collect", f"--unit={mark}", "--property=SyslogIdentifier=flood"]
        lab.exec(name, [*unit, "python3", "-c", FLOOD, mark, str(RATE), str(RATE * seconds)])
    return RATE * seconds


@contextlib.contextmanager
def cut_off(lab: Lab, server: str) -> Iterator[None]:
    """No packet of a log comes to a server, or from it."""
    rules = (
        "table inet cut {\n"
        "chain coming { type filter hook input priority 0; tcp dport 20514 drop; }\n"
        "chain going { type filter hook output priority 0; tcp sport 20514 drop; }\n}"
    )
    lab.exec(server, ["nft", rules])
    try:
        yield
    finally:
        lab.exec(server, ["nft", "delete table inet cut"])


def kill(lab: Lab, host: str, unit: str) -> None:
    lab.exec(host, ["systemctl", "kill", "--signal=KILL", unit])


def arrived(lab: Lab, mark: str) -> dict[str, tuple[int, int]]:
    """Lines, and different lines, by way."""
    return {
        f"{sender} to {server}": tuple(
            map(int, lab.exec(server, ["python3", "-c", COUNT, f"{LOGS}/{sender}", mark]).stdout.split())
        )
        for sender in SENDERS
        for server in SERVERS
    }


def canary(lab: Lab, server: str, word: str, source: str) -> float:
    """What a server tells of a host's canary; -1 where it tells nothing."""
    text = lab.exec(server, ["cat", "/var/lib/steadfast/metrics/steadfast_log_canary.prom"], check=False).stdout
    found = re.search(rf'^steadfast_log_canary_{word}{{source="{source}"}} (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else -1.0


def nothing_is_lost(lab: Lab, case: str, mark: str, total: int) -> None:
    """Every line is at both servers, and the canaries say so too. Keeps what was counted."""
    began = time.monotonic()

    def whole() -> bool:
        time.sleep(1)
        return all(different == total for _lines, different in arrived(lab, mark).values())

    try:
        eventually(whole, "every line has arrived", PATIENCE)
    finally:
        found = arrived(lab, mark)
        RESULTS.parent.mkdir(exist_ok=True)
        ways = {
            way: {"lost": total - different, "repeated": lines - different} for way, (lines, different) in found.items()
        }
        row = {"case": case, "lines": total, "seconds_until_all": round(time.monotonic() - began, 1), **ways}
        with RESULTS.open("a", encoding="utf-8") as sink:
            sink.write(json.dumps(row) + "\n")
    for server in SERVERS:
        for sender in SENDERS:
            eventually(lambda at=server, of=sender: canary(lab, at, "missing", of) == 0, "no number is missing", 60)
            assert canary(lab, server, "missing_total", sender) == 0


@pytest.fixture(autouse=True)
def _flowing(lab: Lab) -> None:
    """Every case begins with numbers that come from both senders to both servers."""

    def fresh() -> bool:
        ways = [(server, sender) for server in SERVERS for sender in SENDERS]
        return all(time.time() - canary(lab, at, "last_timestamp_seconds", of) < 90 for at, of in ways)

    eventually(fresh, "canaries come", 120)


def test_a_cut_network_and_a_killed_server_lose_nothing(lab: Lab, mark: str) -> None:
    total = flood(lab, f"{mark}a", CUT + 15)
    time.sleep(5)
    with cut_off(lab, SERVERS[0]):
        for _part in range(3):
            time.sleep(CUT / 3 - 1)
            kill(lab, SERVERS[1], "steadfast-log-server.service")
            time.sleep(1)
    time.sleep(4)
    kill(lab, SERVERS[0], "steadfast-log-server.service")
    nothing_is_lost(lab, "network cut, servers killed", f"{mark}a", total)


def test_killed_and_restarted_senders_lose_nothing(lab: Lab, mark: str) -> None:
    total = flood(lab, f"{mark}b", 50)
    time.sleep(5)
    with cut_off(lab, SERVERS[0]):
        time.sleep(10)
        for name in SENDERS:
            lab.exec(name, ["systemctl", "restart", "steadfast-log-ship@*.service"])
        time.sleep(10)
        for name in SENDERS:
            kill(lab, name, "steadfast-log-ship@*.service")
        time.sleep(10)
    nothing_is_lost(lab, "senders restarted and killed while the network is cut", f"{mark}b", total)


def say(lab: Lab, *texts: str) -> None:
    """Lines by RELP to the first server, from a host beside it. LONG stands for a lot."""
    address = lab.hosts[SERVERS[0]].address
    lab.exec(SERVERS[1], ["python3", "-c", f"TEXTS = {texts!r}\nADDRESS = {address!r}\n{SAY}"])


def test_nobody_writes_where_he_wants(lab: Lab, mark: str) -> None:
    server = SERVERS[0]
    before = set(lab.exec(server, ["find", LOGS, "-maxdepth", "1"]).stdout.split())
    names = ["../../../tmp/escaped", "..", ".", "/etc", "x" * 5000, "\x1b[2J", "%HOSTNAME%", "_unknown", "gpu1/../mon1"]
    say(lab, *(f"<13>1 2026-01-01T00:00:00Z {name} test - - - {mark} from nobody" for name in names))
    # Raw bytes, a very long line, and one that forges a second.
    say(
        lab,
        "\x01\x02\x7f",
        f"<13>1 2026-01-01T00:00:00Z gpu1 test - - - {mark} LONG",
        f"<13>1 - gpu1 t - - - {mark}\nforged",
    )
    after = set(lab.exec(server, ["find", LOGS, "-maxdepth", "1"]).stdout.split())
    assert after - before <= {f"{LOGS}/_unknown"}
    assert lab.exec(server, ["find", "/tmp", "/etc", "-newer", "/proc/self", "-name", "*escaped*"]).stdout == ""
    lines = lab.exec(server, ["grep", "--recursive", "--no-filename", f"{mark} from nobody", f"{LOGS}/_unknown"]).stdout
    assert len(lines.splitlines()) == len(names)
    assert "\x1b" not in lines
    assert lab.exec(server, ["grep", "--recursive", "^forged", LOGS], check=False).returncode == 1
    longest = lab.exec(server, ["sh", "-c", f"wc --max-line-length {LOGS}/gpu1/*.log | tail -1"]).stdout.split()[0]
    assert int(longest) <= 70000
    modes = lab.exec(server, ["find", LOGS, "-type", "f", "-not", "-perm", "0640"]).stdout
    assert modes == ""
    # And it goes on.
    total = flood(lab, f"{mark}c", 3)
    nothing_is_lost(lab, "after nonsense", f"{mark}c", total)

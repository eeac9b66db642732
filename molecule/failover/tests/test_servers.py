# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Model servers fail while clients send: how fast one is out of traffic, and which requests that costs."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath

import pytest

from tests.chaos import story
from tests.lab.containers import Lab
from tests.lab.pair import Pair, complete, eventually

UNIT = "model-server-serving"
VERDICT = PurePosixPath("/run/steadfast/verdict.json")
# Seconds, as the lab's inventory has it.
CHECK_INTERVAL = 1
# For looking, and for a machine that has other things to do; docs/reliability.md has what was measured.
SLACK = 2
# An engine that answers 500 to whatever it is asked.
FIVE_HUNDRED = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()
    do_GET = do_POST = answer
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""

CONNECT = """
import socket, time
end = time.monotonic() + 10
while True:
    try:
        socket.create_connection(("127.0.0.1", 8000), 1).close()
        break
    except OSError:
        assert time.monotonic() < end
        time.sleep(0.05)
"""


@dataclass(frozen=True)
class Fault:
    """What happens to a model server, how it is undone, and what must be made ready for it."""

    name: str
    strike: Callable[[Lab, str], object]
    mend: Callable[[Lab, str], object]
    prepare: Callable[[Lab, str], object] = lambda _lab, _node: None


def engine(*argv: str) -> Callable[[Lab, str], object]:
    return lambda lab, node: lab.exec(node, ["systemctl", *argv, UNIT])


def dead(lab: Lab, node: str) -> None:
    """The engine alone, for good: its unit would start it again."""
    lab.exec(node, ["sh", "-c", f"systemctl kill --signal=KILL {UNIT}; systemctl stop {UNIT}"])


def at_both(lab: Lab, node: str, state: str) -> None:
    for balancer in Pair(lab).balancers:
        balancer.ask(f"@1 set server serving/{node} state {state}")


def five_hundred(lab: Lab, node: str) -> None:
    """It is put in the engine's place out of sight, or its start would be seen as an engine that is gone."""
    at_both(lab, node, "maint")
    dead(lab, node)
    lab.exec(node, ["systemd-run", "--quiet", "--collect", "--unit=five-hundred", "python3", "-c", FIVE_HUNDRED])
    lab.exec(node, ["python3", "-c", CONNECT])


def no_five_hundred(lab: Lab, node: str) -> None:
    lab.exec(node, ["sh", "-c", f"systemctl stop five-hundred; systemctl start {UNIT}"])


FAULTS = (
    Fault("host killed", Lab.kill, Lab.start),
    Fault("host unplugged", Lab.unplug, Lab.plug),
    Fault("engine killed", dead, engine("start")),
    Fault("engine hung", engine("kill", "--signal=STOP"), engine("kill", "--signal=CONT")),
    # Straight from maintenance a server is UP before a check has run.
    Fault("answers 500", lambda lab, node: at_both(lab, node, "ready"), no_five_hundred, five_hundred),
)


@contextmanager
def struck(pair: Pair, fault: Fault, node: str) -> Iterator[float]:
    """The fault while the block lasts; gives the time when it began."""
    try:
        fault.strike(pair.lab, node)
        yield time.monotonic()
    finally:
        fault.mend(pair.lab, node)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_model_server_that_fails_is_out_of_traffic(pair, clients, note, fault):
    holder = pair.holder()
    # Before there are clients, or it would cost requests that are not the fault's.
    fault.prepare(pair.lab, "gpu2")
    with clients:
        time.sleep(2)
        before = holder.server("gpu2")
        with struck(pair, fault, "gpu2") as began:
            eventually(lambda: not holder.server("gpu2")["status"].startswith("UP"), "it is out of traffic", 20)
            out = time.monotonic() - began
            after = holder.server("gpu2")
            time.sleep(3)
            result = clients.stop()
    # What ran there when it failed, and what was sent there until it was out.
    sent = int(before["scur"]) + int(after["stot"]) - int(before["stot"])
    failed = result["requests"]["failed"]
    note(out=round(out, 2), sent_there=sent, requests=result["requests"], streams_cut=result["streams"]["cut"])
    assert failed <= sent
    assert out <= 2 * CHECK_INTERVAL + SLACK


def answer(pair: Pair) -> tuple[int, str]:
    """Status and server of one answer; status 0 for none within a second."""
    try:
        return complete(pair.virtual_ip, timeout=1)
    except OSError:
        return 0, ""


def standby_answers(pair: Pair) -> bool:
    return answer(pair) == (200, "spare1")


def test_a_pool_that_is_lost_overflows_and_comes_back_once(pair, tmp_path, note):
    nodes = pair.servers
    # What one server carries on a slow machine too: the first that is back serves alone, and what waits too long there
    # rightly overflows.
    with story.load(pair.lab, tmp_path, rate=10, streams=0, timeout=5.0) as clients:
        time.sleep(2)
        for node in nodes:
            dead(pair.lab, node)
        began = time.monotonic()
        try:
            eventually(lambda: standby_answers(pair), "the standby pool serves", 10)
            served = time.monotonic() - began
            time.sleep(2)
        finally:
            for node in nodes:
                pair.lab.exec(node, ["systemctl", "start", UNIT])
        eventually(lambda: answer(pair)[1] in nodes, "requests come back", 30)
        back = time.monotonic() - began
        time.sleep(4)
        result = clients.stop()
    spare = result["servers"]["spare1"]["active_ms"]
    pool = sorted(stretch for name in nodes for stretch in result["servers"][name]["active_ms"])
    note(served=round(served, 2), back=round(back, 2), spare=spare, requests=result["requests"])
    assert served <= 2 * CHECK_INTERVAL + SLACK
    # Once: when the pool was back for a second, nothing went to the standby pool any more.
    came_back = next(first for first, _last in pool if first > spare[0][0])
    assert spare[-1][1] <= came_back + 1000, (spare, pool)


@pytest.fixture
def narrow(pair: Pair) -> Iterator[None]:
    """Two requests at a time for each server of the pool, at the holder."""
    holder = pair.holder()

    def set_to(number: int) -> None:
        holder.ask("; ".join(f"@1 set maxconn server serving/{name} {number}" for name in pair.servers))

    set_to(2)
    yield
    set_to(256)


def test_a_queue_that_grows_too_long_overflows(pair, narrow, tmp_path, note):
    # Forty-eight at once, and six of them at the pool's servers: more than 32 wait.
    with story.load(pair.lab, tmp_path, rate=5, streams=48, stream_seconds=(1.0,), timeout=60.0) as load:
        eventually(lambda: int(pair.holder().server("spare1", "standby")["scur"]) > 0, "requests overflow", 20)
        time.sleep(3)
        result = load.stop()
    shares = {name: len(activity["streams_ms"]) for name, activity in result["servers"].items()}
    note(streams=shares, requests=result["requests"])
    assert story.lost(result) == (0, 0), result["samples"]
    assert shares["spare1"] > 0
    assert set(shares) > {"spare1"}, "the pool goes on with what it has"


def test_when_nobody_can_serve_clients_hear_it_at_once(pair):
    units = {**dict.fromkeys(pair.servers, UNIT), "spare1": "model-server-standby"}
    for node, unit in units.items():
        pair.lab.exec(node, ["systemctl", "stop", "--no-block", unit])
    try:
        # Until then a request may still be tried on a server that is believed in (three seconds at most).
        eventually(lambda: not any(server["status"].startswith("UP") for server in engines(pair)), "nobody is left", 20)
        waits = []
        for _try in range(3):
            began = time.monotonic()
            status, headers, body = plain(pair.virtual_ip)
            waits.append(time.monotonic() - began)
            assert (status, headers["Retry-After"], body["error"]["type"]) == (503, "1", "overloaded")
        assert min(waits) < 1, waits
        # It is not the virtual IP's fault: it stays where it is.
        assert pair.holder()
    finally:
        for node, unit in units.items():
            pair.lab.exec(node, ["systemctl", "start", unit])


def engines(pair: Pair) -> list[dict[str, str]]:
    """The servers of both pools, as the holder of the virtual IP sees them."""
    return [server for pool in ("serving", "standby") for server in pair.holder().servers(pool)]


def plain(address: str) -> tuple[int, Mapping[str, str], dict]:
    """A request with its headers and its JSON."""
    connection = http.client.HTTPConnection(address, 8080, timeout=5)
    connection.request("POST", "/v1/completions", "{}", {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.headers, json.loads(answer.read())


@pytest.fixture
def leaving(pair: Pair) -> Iterator[None]:
    """Something on gpu1 asks for no new requests."""
    verdict = json.dumps({"verdict": "drain", "reason": "planned reboot"})
    pair.lab.exec("gpu1", ["sh", "-c", f"mkdir -p {VERDICT.parent}; echo '{verdict}' > {VERDICT}"])
    yield
    pair.lab.exec("gpu1", ["rm", "-f", str(VERDICT)])


def test_a_node_that_asks_for_it_gets_no_new_requests_and_an_operators_drain_stays(pair, leaving):
    for balancer in pair.balancers:
        eventually(lambda b=balancer: b.server("gpu1")["weight"] == "0", "its share is 0", 5)
    holder = pair.holder()
    eventually(lambda: answer(pair)[1] in pair.servers, "nothing overflows any longer", 20)
    assert {server for _turn in range(30) for server in [complete(pair.virtual_ip)[1]]} == {"gpu2", "gpu3"}
    # The agent goes on saying `up`, which takes no drain back.
    holder.ask("@1 set server serving/gpu2 state drain")
    time.sleep(2)
    assert holder.admin("gpu2") == 8
    holder.ask("@1 set server serving/gpu2 state ready")

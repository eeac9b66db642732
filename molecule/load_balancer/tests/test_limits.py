# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client may not send, and that it is told so in the words of the API."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator

import pytest

from tests.lab.pair import Balancer, Pair, complete, eventually

CONFIG = "/etc/haproxy/haproxy.cfg"


def sent(address: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, str, str | None]:
    """A POST whose headers are given in full: status, type of the error, and Retry-After."""
    connection = http.client.HTTPConnection(address, 8080, timeout=10)
    connection.putrequest("POST", "/v1/completions")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())["error"]["type"], answer.headers["Retry-After"]


def test_too_long_a_request_is_refused_before_it_is_sent(balancer: Balancer) -> None:
    assert sent(balancer.address, {"Content-Length": "65537"})[:2] == (413, "invalid_request_error")


def test_a_request_of_unknown_length_is_refused(balancer: Balancer) -> None:
    chunked = {"Transfer-Encoding": "chunked"}
    assert sent(balancer.address, chunked, b"0\r\n\r\n")[:2] == (411, "invalid_request_error")


@pytest.fixture
def strict(pair: Pair) -> Iterator[None]:
    """Twenty requests in ten seconds, in place of ten thousand."""
    for balancer in pair.balancers:
        balancer.run("cp", "-p", CONFIG, f"{CONFIG}.before")
        balancer.run("sed", "-i", "s/gt 10000 /gt 20 /", CONFIG)
        balancer.run("systemctl", "reload", "haproxy")
        assert "gt 20 " in balancer.run("cat", CONFIG).stdout
    yield
    for balancer in pair.balancers:
        balancer.run("mv", f"{CONFIG}.before", CONFIG)
        balancer.run("systemctl", "reload", "haproxy")


def test_the_pair_counts_a_clients_requests_together(pair: Pair, strict: None) -> None:
    one, other = pair.balancers
    eventually(lambda: "last_status=ESTA" in one.ask("@1 show peers"), "the peers see each other", 30)
    # Those of other tests are forgotten first.
    for balancer in pair.balancers:
        balancer.ask("@1 clear table client_rates")
    assert [complete(one.address)[0] for _turn in range(20)] == [200] * 20
    eventually(lambda: complete(other.address)[0] == 429, "the other has heard of them", 5)
    assert sent(other.address, {"Content-Length": "2"}, b"{}") == (429, "rate_limit_exceeded", "1")
    # It is this client's limit and nobody else's.
    assert other.run("curl", "--silent", "http://127.0.0.1:8080/health").stdout == '{"status":"ok"}'

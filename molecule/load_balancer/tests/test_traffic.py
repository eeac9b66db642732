# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests reach every server, by weight, and never die with one."""

from __future__ import annotations

import http.client
import ssl
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.lab.pair import Balancer, Pair, complete, stream


def test_every_server_answers_through_the_virtual_ip(pair: Pair) -> None:
    answers = [complete(pair.virtual_ip) for _turn in range(30)]
    assert {status for status, _server in answers} == {200}
    assert {server for _status, server in answers} == set(pair.servers)


CERTIFICATE = Path(__file__).parents[3] / "build/load_balancer/balancer.crt"


def placed(balancer: Balancer, count: int) -> Counter[str]:
    """Which servers got so many streams that run at once."""
    with ExitStack() as streams:
        return Counter(streams.enter_context(stream(balancer.address)).headers["X-Served-By"] for _turn in range(count))


def test_concurrent_requests_are_spread(balancer: Balancer, pair: Pair) -> None:
    answers = placed(balancer, 3 * len(pair.servers))
    # Threads that choose at the same moment may pick the same server.
    assert all(2 <= answers[server] <= 4 for server in pair.servers)


def test_weight_counts(balancer: Balancer) -> None:
    """Among busy servers: to leastconn, idle ones are equal whatever they weigh."""
    balancer.ask("@1 set server serving/gpu1 weight 1%")
    answers = placed(balancer, 12)
    assert answers["gpu1"] <= 2
    assert min(answers["gpu2"], answers["gpu3"]) >= 4


def test_requests_move_from_a_dead_server_before_it_is_seen_down(balancer: Balancer, pair: Pair) -> None:
    pair.lab.exec("gpu1", ["systemctl", "stop", "model-server-serving"])
    try:
        assert balancer.served(30)["gpu1"] == 0
    finally:
        pair.lab.exec("gpu1", ["systemctl", "start", "model-server-serving"])


def test_a_request_keeps_its_id_in_the_log(balancer: Balancer) -> None:
    complete(balancer.address, request_id="story-4711")
    log = balancer.run("journalctl", "--unit=haproxy", "--since=-1min", "--output=cat").stdout
    assert "{story-4711}" in log


def tls(address: str, version: ssl.TLSVersion) -> tuple[int, str | None]:
    """A request over that version of TLS only: status, and the protocol agreed on for HTTP."""
    # The certificate is its own authority and names no host.
    context = ssl.create_default_context(cafile=str(CERTIFICATE))
    context.check_hostname = False
    context.minimum_version = context.maximum_version = version
    connection = http.client.HTTPSConnection(address, 8443, timeout=5, context=context)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        return answer.status, connection.sock.version()
    finally:
        connection.close()


def test_tls(balancer: Balancer) -> None:
    assert tls(balancer.address, ssl.TLSVersion.TLSv1_3) == (200, "TLSv1.3")
    assert tls(balancer.address, ssl.TLSVersion.TLSv1_2) == (200, "TLSv1.2")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(balancer: Balancer) -> None:
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        tls(balancer.address, ssl.TLSVersion.TLSv1_1)


def test_plain_http_is_redirected_with_its_method(balancer: Balancer) -> None:
    connection = http.client.HTTPConnection(balancer.address, 8081, timeout=5)
    connection.request("POST", "/v1/completions?a=b", "{}")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (308, f"https://{balancer.address}:8443/v1/completions?a=b")


def test_metrics_are_for_who_has_a_password(balancer: Balancer) -> None:
    ask = ("curl", "--silent", "--insecure", f"https://{balancer.address}:8404/metrics")
    metrics = balancer.run(*ask, "--user", "prometheus:not-a-secret-in-the-lab").stdout
    assert 'haproxy_server_status{proxy="serving",server="gpu1",state="UP"} 1' in metrics
    for given in ((), ("--user", "prometheus:wrong")):
        assert balancer.run(*ask, *given, "--output", "/dev/null", "--write-out", "%{http_code}").stdout == "401"
    with pytest.raises(ConnectionRefusedError):
        complete(balancer.address, 8405)

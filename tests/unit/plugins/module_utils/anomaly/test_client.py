# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is at the other end, an answer ends in time, is small, and comes from where it was asked for."""

from __future__ import annotations

import json
import socket
import threading
import time
import tracemalloc

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly import answers
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.client import Prometheus
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.settings import read
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Unreadable

from tests.unit.plugins.module_utils.anomaly.hostile import (
    HEAD,
    drips,
    floods,
    hangs_up,
    hostile,
    keeps_silent,
    promises,
    says,
    vector,
)

MOST = 2 * 1024 * 1024
GOOD = vector(({"instance": "a"}, "1"))


def client(*urls, **more):
    content = {"urls": urls, "queries": [], "timeout_seconds": 0.5, "max_body_bytes": MOST, **more}
    return Prometheus(read(json.dumps(content)))


def nobody():
    """The address of a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return "http://127.0.0.1:{0}".format(listening.getsockname()[1])


def test_a_good_answer():
    with hostile(up=says(GOOD)) as server:
        assert client(server.url).ask("up", answers.samples) == [({"instance": "a"}, 1.0)]
        assert "Authorization" not in server.headers
        assert server.headers.startswith("POST /api/v1/query HTTP/1.1")


def test_a_query_arrives_as_it_is_and_under_a_prefix():
    query = 'sum by (pool) (rate({__name__=~"a:b|c%20+d"}[5m])) & 1 > 0 \u00e4'
    with hostile() as server:
        client(server.url + "/prometheus/").ask(query, answers.samples)
        assert server.asked == [query]
        assert server.headers.startswith("POST /prometheus/api/v1/query ")


BAD = {
    "half a gigabyte": (floods(500 * 1024 * 1024), "too_large"),
    "half a gigabyte, in chunks": (floods(500 * 1024 * 1024, chunked=True), "too_large"),
    "a byte now and then": (drips(HEAD + b"\r\n", b"["), "timeout"),
    "a header's byte now and then": (drips(HEAD + b"X-A: ", b"a"), "timeout"),
    "a status line's byte now and then": (drips(b"HTTP/1.1 ", b"2"), "timeout"),
    "to be continued, again and again": (drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "timeout"),
    "silence": (keeps_silent, "timeout"),
    "hanging up": (hangs_up, "broken"),
    "too little": (promises(1000, GOOD[:20]), "broken"),
    "no HTTP": (lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), "broken"),
    "a line without end": (lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nA: " + b"a" * 10**6), "broken"),
    "too many headers": (lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 10**4), "broken"),
    "chunks of nonsense": (says(b"zz\r\n", "200 OK", "Transfer-Encoding: chunked"), "broken"),
    "an error": (says(b"no", "500 Internal Server Error"), "status"),
    "a gateway's error": (says(b"no", "502 Bad Gateway"), "status"),
    "no access": (says(b"no", "401 Unauthorized"), "status"),
    "a bad query": (says(b'{"status":"error","errorType":"bad_data","error":"x"}', "400 Bad Request"), "refused"),
    "nesting": (says(b"[" * 1000000), "not_json"),
    "torn JSON": (says(GOOD[:-4]), "not_json"),
    "a matrix": (says(GOOD.replace(b"vector", b"matrix")), "malformed"),
}


@pytest.mark.parametrize(("behave", "reason"), list(BAD.values()), ids=list(BAD))
def test_what_is_no_answer(behave, reason):
    with hostile(up=behave) as server:
        mine = client(server.url)
        began = time.monotonic()
        with pytest.raises(Unreadable) as caught:
            mine.ask("up", answers.samples)
        assert caught.value.evidence["reason"] == reason
        assert server.url in caught.value.message
        # A loaded machine is slow; a server that drips would go on for ever.
        assert time.monotonic() - began < 10


def test_half_a_gigabyte_does_not_fill_the_memory():
    with hostile(up=floods(500 * 1024 * 1024)) as server:
        mine = client(server.url)
        tracemalloc.start()
        try:
            with pytest.raises(Unreadable, match="longer than 2097152 bytes"):
                mine.ask("up", answers.samples)
            assert tracemalloc.get_traced_memory()[1] < 4 * MOST
        finally:
            tracemalloc.stop()


def test_a_redirect_leads_nowhere():
    with hostile(up=says(GOOD)) as elsewhere:
        redirect = says(b"", "307 Temporary Redirect", f"Location: {elsewhere.url}/api/v1/query")
        with hostile(up=redirect) as server, pytest.raises(Unreadable, match="status 307"):
            client(server.url).ask("up", answers.samples)
        assert elsewhere.asked == []


def test_no_proxy_stands_between(monkeypatch):
    with hostile(up=says(GOOD)) as proxy, hostile(up=says(GOOD)) as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert client(server.url).ask("up", answers.samples)
        assert (proxy.asked, server.asked) == ([], ["up"])


def test_the_other_one_is_asked_when_the_own_one_does_not_answer():
    with hostile(up=says(b"no", "500 Internal Server Error")) as own, hostile(up=says(GOOD)) as other:
        mine = client(own.url, other.url)
        for _each in range(2):
            assert mine.ask("up", answers.samples) == [({"instance": "a"}, 1.0)]
        assert (own.asked, other.asked) == (["up", "up"], ["up", "up"])


def test_who_cannot_be_reached_is_asked_once_a_run():
    with hostile(up=says(GOOD)) as other:
        mine = client(nobody(), other.url)
        assert mine.ask("up", answers.samples)
        assert len(mine._away) == 1
        assert mine.ask("up", answers.samples)
        mine.begin()
        assert not mine._away


def test_nobody_is_there():
    mine = client(nobody(), nobody())
    for _each in range(2):
        with pytest.raises(Unreadable) as caught:
            mine.ask("up", answers.samples)
        assert caught.value.evidence["reason"] == "unreachable"


def test_who_a_password_is_for(tmp_path):
    secret = tmp_path / "auth"
    secret.write_text("anomaly:p\u00e4ss:word\n")
    with hostile(up=says(GOOD)) as server:
        client(server.url, basic_auth_file=str(secret)).ask("up", answers.samples)
        assert "Authorization: Basic YW5vbWFseTpww6Rzczp3b3Jk" in server.headers


@pytest.mark.parametrize("content", [None, b"", b"user", b"user:", b"\xff\xfe:\xff"])
def test_a_password_that_cannot_be_read_is_said_at_once(tmp_path, content):
    secret = tmp_path / "auth"
    if content is not None:
        secret.write_bytes(content)
    with pytest.raises(Unreadable, match="auth"):
        client("http://h", basic_auth_file=str(secret))


def test_authorities_that_cannot_be_read_are_said_at_once(tmp_path):
    with pytest.raises(Unreadable, match="cannot be read"):
        client("https://h", ca_file=str(tmp_path / "absent.pem"))


def test_who_speaks_no_tls():
    with hostile() as server, pytest.raises(Unreadable) as caught:
        client(server.url.replace("http:", "https:")).ask("up", answers.samples)
    assert caught.value.evidence["reason"] == "unreachable"


def test_connections_are_closed():
    closed = threading.Event()

    def behave(connection):
        says(GOOD)(connection)
        if connection.recv(1) == b"":
            closed.set()

    with hostile(up=behave) as server:
        client(server.url).ask("up", answers.samples)
        assert closed.wait(10)

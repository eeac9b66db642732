# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counting what is answered, against a real server."""

from __future__ import annotations

import http.client
import http.server
import threading

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.vrrp.probe import Asked, ask, longest_gap, probe


@pytest.fixture
def port():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/health" else 503)
            self.end_headers()

        def log_message(self, *_args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_ask(port):
    assert ask(("http", "127.0.0.1", port, "/health"), 5) is None
    assert ask(("http", "127.0.0.1", port, "/other"), 5) == "HTTP 503"
    assert "Error" in str(ask(("https", "127.0.0.1", port, "/health"), 5))


def test_nobody_answers():
    problem = str(ask(("http", "127.0.0.1", 1, "/"), 5))
    assert "Refused" in problem
    assert not Asked(1.0, problem).connected
    assert Asked(1.0, "HTTP 503").connected
    assert Asked(1.0).connected


@pytest.mark.parametrize(
    ("error", "connected"),
    [
        (ConnectionResetError(104, "reset"), True),
        (ConnectionRefusedError(111, "refused"), False),
        (TimeoutError(), False),
    ],
)
def test_a_connection_that_was_there_and_is_gone(port, monkeypatch, error, connected):
    def connect(_self):
        raise error

    monkeypatch.setattr(http.client.HTTPConnection, "connect", connect)
    problem = ask(("http", "127.0.0.1", port, "/health"), 5)
    assert problem is not None
    assert type(error).__name__ in problem
    assert Asked(1.0, problem).connected is connected


def test_the_number_follows_from_rate_and_seconds():
    assert len(probe(lambda: None, 0, 50)) == 1
    asked = probe(lambda: "no", 0.1, 100)
    assert [one.problem for one in asked] == ["no"] * 10


@pytest.mark.parametrize(
    ("asked", "gap"),
    [
        ([], 0.0),
        ([Asked(1.0)], 0.0),
        ([Asked(3.0), Asked(1.0), Asked(2.0, "late"), Asked(3.5)], 2.0),
        ([Asked(1.0, "no"), Asked(9.0, "no")], 0.0),
    ],
)
def test_longest_gap(asked, gap):
    assert longest_gap(asked) == gap

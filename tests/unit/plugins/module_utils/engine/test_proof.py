# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof, against a small HTTP server that plays an engine in good and bad states."""

from __future__ import annotations

import http.server
import json
import threading

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.engine.client import Engine
from ansible_collections.steadfast.ai_platform.plugins.module_utils.engine.proof import prove
from ansible_collections.steadfast.ai_platform.plugins.module_utils.engine.question import Question
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError

QUESTION = Question(model="tiny", identity="tiny@r2-abc")
GOOD = {
    "/health": (200, {"status": "ok"}),
    "/v1/models": (200, {"data": [{"id": "tiny", "aliases": ["tiny@r2-abc"]}]}),
    "/v1/completions": (200, {"choices": [{"text": "and so on"}]}),
}


@pytest.fixture
def serve():
    """Start a server that answers from a table; a body of None hangs."""
    servers = []

    def start(table):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, document = table[self.path]
                if document is None:
                    threading.Event().wait(2)
                    return
                body = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return Engine(f"http://127.0.0.1:{server.server_port}", timeout=0.5)

    yield start
    for server in servers:
        server.shutdown()


def test_a_good_engine_is_proved_step_by_step(serve):
    proof = prove(serve(GOOD), QUESTION, deadline=1)
    assert [step["step"] for step in proof.steps] == ["readiness", "identity", "completion"]
    assert proof.steps[-1]["seen"] == "and so on"


@pytest.mark.parametrize(
    ("path", "answer", "message"),
    [
        ("/health", (503, {"error": "Loading model"}), "readiness: .*not ready after.*HTTP 503"),
        ("/health", (200, None), "readiness: .*did not answer"),
        (
            "/v1/models",
            (200, {"data": [{"id": "tiny", "aliases": ["tiny@r1-xyz"]}]}),
            "identity: .*should serve 'tiny@r2-abc' but",
        ),
        ("/v1/models", (200, b"<html>"), "identity: .*not JSON"),
        ("/v1/completions", (500, {"error": "out of memory"}), "completion: .*HTTP 500"),
        ("/v1/completions", (200, {"choices": []}), "completion: .*no choices"),
        ("/v1/completions", (200, None), "completion: .*did not answer"),
        ("/v1/completions", (200, b"x" * (5 * 1024 * 1024)), "completion: .*longer than"),
    ],
)
def test_the_step_that_fails_is_named_with_what_was_seen(serve, path, answer, message):
    with pytest.raises(PlatformError, match=message) as caught:
        prove(serve({**GOOD, path: answer}), QUESTION, deadline=0.3)
    assert caught.value.evidence["steps"][-1]["ok"] is False


def test_waiting_ends_when_it_is_in_vain(serve):
    def alive():
        raise PlatformError("the engine ended with status 1")

    with pytest.raises(PlatformError, match="readiness: the engine ended"):
        prove(serve({**GOOD, "/health": (503, {})}), QUESTION, deadline=30, alive=alive)


def test_nobody_listens():
    with pytest.raises(PlatformError, match="did not answer"):
        prove(Engine("http://127.0.0.1:9", timeout=0.2), QUESTION, deadline=0.2)

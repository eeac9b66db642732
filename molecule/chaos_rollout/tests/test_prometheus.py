# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Prometheus that does not answer, answers of an hour ago, or answers nonsense: missing data is not health."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.chaos import story
from tests.chaos.controller import Controller


def answer(age_s: float) -> bytes:
    """As Prometheus answers a query for one value."""
    found = {"resultType": "vector", "result": [{"metric": {}, "value": [time.time() - age_s, "0"]}]}
    return json.dumps({"status": "success", "data": found}).encode()


ANSWERS = {
    "stale": lambda: answer(3600),
    "nonsense": lambda: b"<html>It works!</html>",
    "well": lambda: answer(0),
}


class Prometheus(HTTPServer):
    """A test double of Prometheus, for what a real one does only when it is ill."""

    def __init__(self, kind: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = ANSWERS[kind]()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def prometheus(request):
    """Its address; nobody listens there when it is said to be unreachable."""
    if request.param == "unreachable":
        yield "http://127.0.0.1:9"
        return
    with Prometheus(request.param) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def asks(prometheus, way):
    """A rollout that asks it, and gives an inconclusive bake a few seconds more."""
    queries = {"prometheus_queries": [{"name": "errors", "query": "sum(errors)", "max": 1}]}
    more = ("-e", json.dumps(queries), "-e", f"prometheus_url={prometheus}", "-e", "max_bake_time=8")
    return (*story.DEPLOY, *story.to(way), *more)


@pytest.mark.whole
@pytest.mark.parametrize(
    ("prometheus", "reason"),
    [("unreachable", "127.0.0.1:9"), ("stale", "old"), ("nonsense", "JSON")],
    indirect=["prometheus"],
)
def test_an_ill_prometheus_is_no_verdict_and_the_batch_comes_back(lab, nodes, way, tmp_path, prometheus, reason):
    with story.load(lab, tmp_path) as load:
        with Controller(lab, tmp_path / "run", *asks(prometheus, way)) as run:
            assert run.end() != 0
        result = load.stop()
    assert "no verdict after 8 s" in run.last_line(), run.last_line()
    assert reason in run.last_line(), run.last_line()
    assert story.lost(result) == (0, 0), story.samples(result)
    assert set(story.releases(lab, nodes)) == {way.here}
    assert story.settled(lab) == []


@pytest.mark.whole
@pytest.mark.parametrize("prometheus", ["well"], indirect=True)
def test_a_prometheus_that_is_well_lets_it_pass(lab, nodes, way, tmp_path, prometheus):
    with Controller(lab, tmp_path / "run", *asks(prometheus, way)) as run:
        assert run.end() == 0, run.output()[-3000:]
    assert set(story.releases(lab, nodes)) == {way.there}

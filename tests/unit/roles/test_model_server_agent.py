# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the load agent says, and that nothing an engine sends makes it say something else."""

from __future__ import annotations

import argparse
import contextlib
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.roles.program import load

agent = load("model_server/files/model_server_agent.py")


def said(sight: Any, now: float = 100.0) -> str:
    return str(agent.say(sight, now, slots=16, patience=1.0, stall=30.0))


@pytest.mark.parametrize(
    ("seen", "line"),
    [
        ({"busy": 0}, "up 100%"),
        ({"busy": 4}, "up 75%"),
        ({"busy": 8, "cache": 0.9}, "up 10%"),
        ({"busy": 40}, "up 1%"),
        ({"busy": None}, "up 100%"),
        ({"busy": 3, "moved": 65.0}, "down #3 requests and no progress for 35 s"),
        ({"busy": 0, "moved": 1.0}, "up 100%"),
        ({"asked": 98.5, "silent": 2}, "down #no answer for 1.5 s"),
        ({"asked": 98.5, "silent": 1}, "up 100%"),
        ({"asked": 99.5, "silent": 3}, "up 100%"),
        ({"verdict": "drain", "reason": "reboot"}, "up 0% #reboot"),
        ({"verdict": "down", "reason": "Xid 79"}, "down #Xid 79"),
    ],
)
def test_say(seen: dict, line: str) -> None:
    assert said(agent.Sight(**{"answered": 100.0, "moved": 100.0, **seen})) == line


@given(st.floats(0, 1e9), st.floats(0, 5), st.integers(1, 4096))
def test_it_is_always_a_share_and_never_an_order(busy: float, cache: float, slots: int) -> None:
    line = agent.say(agent.Sight(busy=busy, cache=cache, moved=1.0), 1.0, slots, 1.0, 30.0)
    assert 1 <= int(line[3:-1]) <= 100
    assert line.startswith("up ")


def test_progress_is_what_moves_or_has_nothing_to_do() -> None:
    sight = agent.Sight()
    for now, busy, progress in ((1.0, 2.0, 5.0), (20.0, 2.0, 5.0), (30.0, 2.0, 5.0)):
        sight.answer(now, busy, 0.0, progress)
    assert said(sight, 30.9) == "up 90%"
    assert said(sight, 31.0).startswith("down #2 requests")
    sight.answer(32.0, 2.0, 0.0, 6.0)
    assert said(sight, 32.0) == "up 90%"
    sight.answer(99.0, 2.0, 0.0, None)
    assert said(sight, 99.0) == "up 90%", "an engine that does not tell its progress is not judged by it"


@pytest.mark.parametrize(
    ("lines", "names", "sum_"),
    [
        (["a 1", 'b{x="}"} 2 1700000000'], ["a", "b"], 3.0),
        (["a 1 1700000000"], ["a"], 1.0),
        (["ab 1"], ["a"], None),
        (["a nan"], ["a"], None),
        (["a x"], ["a"], None),
        (["a{"], ["a"], None),
        ([], [], None),
    ],
)
def test_total(lines: list, names: list, sum_: float | None) -> None:
    assert agent.total(lines, names) == sum_


class Engine(http.server.BaseHTTPRequestHandler):
    """An engine whose answers a test sets."""

    answers: ClassVar[dict[str, tuple[int, bytes]]] = {}

    def do_GET(self) -> None:
        status, body = self.answers[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Any]:
    """An agent with an engine."""
    release = {"ready_path": "/health", "metrics_path": "/metrics", "running_metrics": ["run", "wait"]}
    (tmp_path / "release.json").write_text(json.dumps(release))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield agent.Agent(
            argparse.Namespace(
                release=str(tmp_path / "release.json"), engine_port=server.server_port, slots=16, timeout=5.0,
                patience=0.0, stall=30.0, verdict=str(tmp_path / "verdict.json"), verdict_age=60.0,
            )
        )  # fmt: skip
        server.shutdown()


@pytest.mark.parametrize(
    ("health", "metrics", "line"),
    [
        ((200, b"ok"), (200, b"run 6\nwait 2\n"), "up 50%"),
        ((503, b"loading"), (503, b""), "up 100%"),
        ((200, b""), (200, b"run 6\n"), "up 100%"),
        ((200, b""), (200, b"\xff\x00" * 1000), "up 100%"),
        ((200, b""), (200, b"x" * (agent.LIMIT + 10)), "up 100%"),
    ],
)
def test_an_engine_is_asked(made: Any, health: tuple, metrics: tuple, line: str) -> None:
    Engine.answers = {"/health": health, "/metrics": metrics}
    made.look()
    assert made.line() == line


def test_an_engine_that_is_gone_is_down_at_the_second_look(made: Any) -> None:
    made.options.engine_port = 1
    made.look()
    made.looked = agent.time.monotonic()
    assert made.line() == "up 100%"
    made.look()
    assert made.line().startswith("down #no answer")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"verdict": "ready"}', '{"verdict": 5}', '"drain"'])
def test_a_verdict_that_is_none(made: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "verdict.json").write_text(text)
    assert made.verdict() == ("", "")


def test_a_verdict_counts_while_it_is_fresh(made: Any, tmp_path: Path) -> None:
    (tmp_path / "verdict.json").write_text('{"verdict": "drain", "reason": "a\\nplanned reboot"}')
    assert made.verdict() == ("drain", "a planned reboot")
    made.options.verdict_age = -1
    assert made.verdict() == ("", "")


def until_closed(made: Any, listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        agent.serve(made, listener)


def test_who_connects_is_told_one_line(made: Any) -> None:
    Engine.answers = {"/health": (200, b""), "/metrics": (200, b"run 0\nwait 0\n")}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=until_closed, args=(made, listener), daemon=True).start()
        for _turn in range(2):
            with socket.create_connection(listener.getsockname(), timeout=10) as caller:
                assert caller.makefile().read() == "up 100%\n"

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator sees of a rollout's events, and that nothing in them can hurt the screen or the run."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils import board
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils.board import Board, Line, Splitter
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.plugin_utils.rollout_story import (
    CLOSED,
    GARBAGE,
    OPENED,
    STORY,
    VERDICTS,
    WAITING,
    event,
    phase,
)


def told(*events: dict[str, Any], ascii_only: bool = False, now: float | None = None) -> list[str]:
    """The plain lines about these events, each taken at its own time."""
    view = Board(ascii_only)
    return [line.text for each in events for line in view.take(each, each["at"] if now is None else now)]


def block(
    *events: dict[str, Any], now: float, width: int = 80, height: int = 20, ascii_only: bool = False
) -> list[str]:
    """The block after these events."""
    view = Board(ascii_only)
    for each in events:
        view.take(each, each["at"])
    return [line.text for line in view.lines(now, width, height)]


def test_a_rollout_as_plain_lines() -> None:
    assert told(*STORY) == [
        "rollout r1: ▶ opened serving -> r-new (start)",
        "2 batches: gpu1 | gpu2, gpu3",
        "serving batch 1/2: ↓ draining gpu1",
        "serving batch 1/2: ↻ changing gpu1",
        "serving batch 1/2: ↑ admitting gpu1",
        "serving batch 1/2: ◔ baking gpu1: 30 s under real traffic",
        "serving batch 1/2: errors: ✘ fail: 9 of 300 failed",
        "serving batch 1/2: latency: ✔ pass: fast",
        "serving batch 1/2: ↺ reverting gpu1",
        "serving batch 1/2: ← reverted gpu1",
        "rollout r1 of serving: ← reverted; errors: 9 of 300 failed; report: /r/report.html",
    ]


def test_ascii_where_the_output_knows_no_more() -> None:
    lines = told(*STORY, phase("baking", 200.0, ["grün"]), ascii_only=True)
    assert all(line.isascii() for line in lines)
    assert "serving batch 1/2: ! errors" not in lines
    assert "serving batch 1/2: errors: ! fail: 9 of 300 failed" in lines


@pytest.mark.parametrize("word", [*board.PHASES, "pass", "fail", "inconclusive", "succeeded", "stopped"])
def test_no_meaning_is_in_a_symbol_alone(word: str) -> None:
    assert board.sign(word, False).endswith(" " + word)
    assert board.sign(word, True).isascii()


def test_a_wait_is_told_every_ten_seconds() -> None:
    waits = [{**WAITING, "at": 131.0 + second, "left_s": 60.0 - second} for second in range(31)]
    lines = told(OPENED, *waits)
    assert [line for line in lines if "waiting" in line] == [
        f"serving batch 1/2: … waiting for errors: requests 120, errors 0, {left}s left" for left in (50, 40, 30)
    ]


def test_events_that_lie_about_time_flood_nothing() -> None:
    waits = [{**WAITING, "at": 1e6 * number} for number in range(50)]
    assert len([line for line in told(OPENED, *waits, now=500.0) if "waiting" in line]) == 0


def test_the_same_twice_is_told_once() -> None:
    once = told(OPENED, phase("baking", 101.0, ["gpu1"]), VERDICTS)
    assert told(OPENED, phase("baking", 101.0, ["gpu1"]), phase("baking", 103.0, ["gpu1"]), VERDICTS, VERDICTS) == once


def test_the_block() -> None:
    events = [OPENED, phase("draining", 101.0, ["gpu1"]), phase("baking", 130.0, ["gpu1"]), WAITING]
    assert block(*events, now=139.0) == [
        "serving -> r-new   batch 1 of 2   start",
        "  gpu1  ◔ baking           9s",
        "  … waiting for errors: requests 120, errors 0, 21s left",
    ]


def test_the_block_shows_nodes_that_wait_for_their_turn_and_traffic() -> None:
    traffic = event("traffic", 132.0, servers={"gpu2": {"requests": 12, "errors": 1, "response_ms": 20.6}})
    assert block(OPENED, phase("baking", 130.0, ["gpu2"], batch=2), traffic, now=195.0, ascii_only=True) == [
        "serving -> r-new   batch 2 of 2   start",
        "  gpu2  o baking       1m 05s  12 requests, 1 errors, 21 ms",
        "  gpu3  . pending",
    ]


def test_the_block_goes_with_the_run() -> None:
    assert block(*STORY[:-1], now=170.0)
    assert block(*STORY, now=171.0) == []


def test_the_block_fits_the_screen() -> None:
    nodes = [f"node{number}" for number in range(40)]
    big = {**OPENED, "batches": [nodes]}
    lines = block(big, phase("baking", 130.0, nodes), {**WAITING, "nodes": nodes}, now=131.0, width=30, height=10)
    assert len(lines) == 10
    assert max(map(len, lines)) <= 30
    assert lines[-2] == "  and 33 more"
    assert "waiting" in lines[-1]


def test_wide_characters_take_two_columns() -> None:
    assert board.fit(Line("漢字漢字"), 5).text == "漢字"


@pytest.mark.parametrize(
    ("seconds", "said"), [(-3, "0s"), (9.9, "9s"), (69, "1m 09s"), (3725, "1h 02m"), (float("inf"), "277777h 46m")]
)
def test_durations(seconds: float, said: str) -> None:
    assert board.duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a\nb\tc  d", "a b c d"),
        ("\x1b[31mred\x07\x00\x9b", "[31mred"),
        ("\u202eevil\u2028x\u200d\ud800", "evilx"),
        (True, "true"),
        (3, "3"),
        (0.1 + 0.2, "0.3"),
        (1 << 64, "a huge number"),
        (None, ""),
        (["x"], ""),
        ({}, ""),
    ],
)
def test_text_is_printable(value: Any, said: str) -> None:
    assert board.text(value) == said


def test_a_torn_line_waits_for_its_rest() -> None:
    cut, line = Splitter(), json.dumps(OPENED).encode() + b"\n"
    assert cut.feed(line[:20]) == []
    assert cut.feed(line[20:] + b'{"event": "phase", "run": "r1"}\n{"torn') == [OPENED, {"event": "phase", "run": "r1"}]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"{",
        b"\xff\xfe",
        b'{"event": 3, "run": "r"}',
        b'{"event": "phase"}',
        b'"' * 9,
        b"[" * 99999,
    ],
)
def test_what_is_no_event_is_passed_over(line: bytes) -> None:
    assert Splitter().feed(line + b"\n") == []


def test_a_line_without_end_is_given_up() -> None:
    cut = Splitter()
    for _piece in range(40):
        cut.feed(b"x" * 100_000)
    assert cut.feed(b"\n" + json.dumps(CLOSED).encode() + b"\n") == [CLOSED]


def test_runs_without_end_are_forgotten() -> None:
    view = Board()
    for number in range(100):
        view.take({**OPENED, "run": f"run{number}"}, 100.0)
    assert [*view.runs][-1] == "run99"
    assert len(view.runs) == board.MAX_RUNS


@given(st.lists(GARBAGE, max_size=8), st.integers(-5, 200), st.integers(-5, 60), st.booleans())
def test_garbage_neither_raises_nor_reaches_the_terminal(
    events: list[dict[str, Any]], width: int, height: int, ascii_only: bool
) -> None:
    view = Board(ascii_only)
    lines = []
    for each in events:
        lines += view.take(each, 100.0)
        lines += view.lines(101.0, width, height)
    for line in lines:
        assert not [char for char in line.text if unicodedata.category(char)[0] == "C" or char in "\u2028\u2029"]
        assert line.text.isascii() or not ascii_only


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_garbage_bytes_do_not_raise(pieces: list[bytes]) -> None:
    cut = Splitter()
    for piece in pieces:
        cut.feed(piece)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"msg": "boom"}, "boom"),
        ({}, "no message"),
        ({"msg": "password", "_ansible_no_log": True}, "(hidden by no_log)"),
        ({"censored": "hidden"}, "(hidden by no_log)"),
        ({"msg": "One or more items failed", "results": [{"failed": True, "msg": "a"}, {"msg": "b"}, {"failed": True}]},
         "a; no message"),
        ({"results": [{"failed": True, "msg": "password", "_ansible_no_log": True}]}, "(hidden by no_log)"),
        ({"msg": "m", "results": "none"}, "m"),
    ],
)  # fmt: skip
def test_the_reason_of_a_failure(result: dict[str, Any], said: str) -> None:
    assert board.reason(result) == said


def test_a_reason_keeps_its_lines_but_no_control_characters() -> None:
    assert board.paragraphs("a\n\tb\x1b[2J\rc") == "a\n\tb[2Jc"

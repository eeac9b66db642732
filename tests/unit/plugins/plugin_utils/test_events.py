# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout tells while it runs: a file for machines, the board, or plain lines."""

from __future__ import annotations

import json

import pytest
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils import events as events_module
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils.events import Events

PHASE = {"batch": 1, "batches": 3, "nodes": ["gpu1", "gpu2"], "phase": "draining", "detail": ""}
WAITING = {"phase": "baking", "gate": "bake", "numbers": {"requests": 120, "errors": 0}, "left_s": 12.4}


class Display:
    def __init__(self):
        self.lines = []

    def display(self, text):
        self.lines.append(text)


@pytest.fixture
def display():
    return Display()


@pytest.fixture
def told(tmp_path, display, monkeypatch):
    monkeypatch.delenv("STEADFAST_BOARD", raising=False)
    return Events(str(tmp_path / "runs"), "run1", "serving", display)


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_event_is_a_line_of_the_runs_file(told, tmp_path):
    told.emit("phase", **PHASE)
    told.emit("verdicts", verdicts=[], strange=object())
    found = read(tmp_path / "runs" / "run1" / "events.jsonl")
    assert [event["event"] for event in found] == ["phase", "verdicts"]
    assert found[0]["run"] == "run1"
    assert found[0]["pool"] == "serving"
    assert found[0]["nodes"] == ["gpu1", "gpu2"]
    assert found[0]["at"] > 0


def test_without_a_board_it_is_said_plainly(told, display):
    told.emit("phase", **PHASE)
    told.emit("phase", **dict(PHASE, detail="no proof"))
    told.emit("verdicts", verdicts=[{"gate": "errors", "verdict": "fail", "reason": "9 of 300 failed"}])
    told.emit("traffic", servers={})
    assert display.lines == [
        "batch 1 of 3: gpu1, gpu2 draining",
        "batch 1 of 3: gpu1, gpu2 draining no proof",
        "  errors: fail, 9 of 300 failed",
    ]


def test_a_wait_is_said_now_and_then(told, display, monkeypatch):
    at = [100.0]
    monkeypatch.setattr(events_module.time, "monotonic", lambda: at[0])
    told.emit("waiting", **WAITING)
    at[0] += 9
    told.emit("waiting", **WAITING)
    at[0] += 1
    told.emit("waiting", **dict(WAITING, left_s=None))
    assert display.lines == [
        "  baking bake: requests 120, errors 0, 12 s left",
        "  baking bake: requests 120, errors 0",
    ]


def test_with_a_board_the_board_is_told_and_nothing_is_said(tmp_path, display, monkeypatch):
    board = tmp_path / "board.jsonl"
    board.write_text("")
    monkeypatch.setenv("STEADFAST_BOARD", str(board))
    told = Events(str(tmp_path), "run1", "serving", display)
    told.emit("phase", **PHASE)
    told.emit("phase", **PHASE)
    assert len(read(board)) == 2
    assert display.lines == []


def test_a_board_that_is_gone_is_given_up_and_not_made(tmp_path, display, monkeypatch):
    board = tmp_path / "board.jsonl"
    monkeypatch.setenv("STEADFAST_BOARD", str(board))
    told = Events(str(tmp_path), "run1", "serving", display)
    told.emit("phase", **PHASE)
    told.emit("phase", **PHASE)
    assert not board.exists()
    assert len(display.lines) == 1


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path, display, monkeypatch):
    monkeypatch.delenv("STEADFAST_BOARD", raising=False)
    (tmp_path / "runs").write_text("in the way")
    Events(str(tmp_path / "runs"), "run1", "serving", display).emit("phase", **PHASE)
    assert len(display.lines) == 1

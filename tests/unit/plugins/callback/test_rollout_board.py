# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The board in real runs: Ansible's own output, a rollout's lines, and the reason last."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.callback.default import CallbackModule as Default
from ansible_collections.steadfast.ai_platform.plugins.callback import rollout_board

from tests.unit.plugins.callback.playing import run, run_on_terminal
from tests.unit.plugins.plugin_utils.rollout_story import CLOSED, OPENED, STORY, VERDICTS, WAITING, phase
from tests.unit.plugins.plugin_utils.terminal import shown

FAIL = {"name": "Fail", "ansible.builtin.fail": {"msg": "gate errors: 9 of 300 failed"}}
LAST = "localhost failed: gate errors: 9 of 300 failed"


def untimed(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events that happen when they are told."""
    return [{key: value for key, value in event.items() if key != "at"} for event in events]


def step(events: list[Any], **more: Any) -> dict[str, Any]:
    """A task that tells events."""
    return {"name": "Step", "rollout_step": {"events": events, **more}}


def test_without_a_rollout_it_is_the_default_output_and_the_reason(tmp_path: Path) -> None:
    tasks = [{"ansible.builtin.debug": {"msg": "hello"}}, {**FAIL, "ignore_errors": True}, FAIL]
    ours, default = run(tmp_path, tasks), run(tmp_path, tasks, ANSIBLE_STDOUT_CALLBACK="default")
    assert ours.returncode == default.returncode == 2
    assert ours.stdout == default.stdout + "\n" + LAST + "\n"
    assert ours.stderr == default.stderr


def test_a_run_that_succeeds_has_no_last_word(tmp_path: Path) -> None:
    tasks = [{"block": [FAIL], "rescue": [{"ansible.builtin.debug": {"msg": "rescued"}}]}]
    assert run(tmp_path, tasks).stdout == run(tmp_path, tasks, ANSIBLE_STDOUT_CALLBACK="default").stdout


def test_lines_of_a_rollout_where_there_is_no_terminal(tmp_path: Path) -> None:
    done = run(tmp_path, [step(untimed(STORY), result={"failed": True, "msg": "taken back"})])
    assert done.returncode == 2
    lines = done.stdout.splitlines()
    begin = lines.index("rollout r1: ▶ opened serving -> r-new (start)")
    assert lines[begin - 1].startswith("TASK [Step]")
    assert "serving batch 1/2: ↓ draining gpu1" in lines[begin:]
    assert "rollout r1 of serving: ← reverted; errors: 9 of 300 failed; report: /r/report.html" in lines[begin:]
    assert lines.index("fatal: [localhost]: FAILED! => ") > lines.index("serving batch 1/2: ← reverted gpu1")
    assert lines[-1] == "localhost failed: taken back"
    assert "\x1b" not in done.stdout
    assert [*(tmp_path / "tmp").glob("steadfast*")] == []


def test_what_is_recorded_is_no_terminal(tmp_path: Path) -> None:
    status, output = run_on_terminal(tmp_path, [step(untimed([OPENED, WAITING]), pause=0.3)], CI="true", NO_COLOR="1")
    assert status == 0
    assert "serving batch 1/2: ◔ baking gpu1" in output
    assert "\x1b" not in output


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}])
def test_block_on_a_terminal(tmp_path: Path, env: dict[str, str]) -> None:
    events = untimed([OPENED, phase("baking", 0, ["gpu1"]), WAITING, VERDICTS, CLOSED])
    said = {"name": "Say", "ansible.builtin.debug": {"msg": "hello"}}
    status, output = run_on_terminal(tmp_path, [step(events, pause=0.5), said], **env)
    assert status == 0
    # While it ran there was a block ...
    assert "serving -> r-new   batch 1 of 2   start" in output
    assert re.search(r"waiting for errors: requests 120, errors 0, \d+s left", output)
    assert ("\x1b[0;33m" in output) is not bool(env)
    # ... and of it nothing is left among Ansible's own lines and those worth keeping.
    left = shown(output)
    assert not [line for line in left if "batch 1 of 2" in line or "waiting" in line]
    assert [line for line in left if line and not line.startswith(("PLAY", "TASK", "localhost"))] == [
        "rollout r1: ▶ opened serving -> r-new (start)",
        "2 batches: gpu1 | gpu2, gpu3",
        "serving batch 1/2: errors: ✘ fail: 9 of 300 failed",
        "serving batch 1/2: latency: ✔ pass: fast",
        "rollout r1 of serving: ← reverted; errors: 9 of 300 failed; report: /r/report.html",
        "ok: [localhost]",
        "ok: [localhost] => ",
        "    msg: hello",
    ]


def test_garbage_breaks_neither_run_nor_screen(tmp_path: Path) -> None:
    garbage = [
        "\x1b[2J",
        "{",
        '{"event": "phase", "run": "\\u001b[2J", "phase": "baking", "nodes": ["\\u0007"]}',
        "[" * 99999,
    ]
    hostile = {**OPENED, "pool": "\x1b[31m", "release": 7, "batches": [["\x1b]0;x\x07"], 3], "mode": {}}
    done = run(tmp_path, [step([*garbage, hostile, *untimed([WAITING])])])
    assert done.returncode == 0
    assert not [char for char in done.stdout + done.stderr if char < " " and char != "\n"]


def test_no_place_for_the_file_costs_the_view_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_more: Any) -> None:
        raise OSError("No space left on device")

    said = board(monkeypatch)
    monkeypatch.setattr(rollout_board.tempfile, "mkstemp", full)
    said.callback.v2_playbook_on_start(SimpleNamespace())
    assert said.lines == ["warning: rollout_board cannot show rollouts: No space left on device"]


def test_a_view_that_breaks_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = board(monkeypatch)
    said.callback.v2_playbook_on_start(SimpleNamespace())
    place = Path(os.environ["STEADFAST_BOARD"])
    assert place.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(said.callback._watch._board, "take", None)
    place.write_text('{"event": "phase", "run": "r1"}\n')
    said.callback.v2_runner_on_ok(SimpleNamespace())
    said.callback.v2_runner_on_ok(SimpleNamespace())
    assert [line.split(":")[1] for line in said.lines] == [" rollout_board shows no more"]
    assert not place.exists()
    assert "STEADFAST_BOARD" not in os.environ


# --- The last word --------------------------------------------------------------------------------------------------


def board(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The callback without Ansible's own output; `lines` is what it says by itself."""
    for name in vars(Default):
        if name.startswith("v2_"):
            monkeypatch.setattr(Default, name, lambda *_args, **_kwargs: None)
    said = SimpleNamespace(callback=rollout_board.CallbackModule(), lines=[])
    said.callback._display = SimpleNamespace(
        display=lambda line, color=None: said.lines.append(line.strip()),
        warning=lambda line: said.lines.append("warning: " + line),
    )
    return said


def result(host: str, **values: Any) -> SimpleNamespace:
    """A result as hooks get it, as far as they look."""
    return SimpleNamespace(host=SimpleNamespace(get_name=lambda: host), result=values)


SECRET = {"msg": "password", "_ansible_no_log": True}


@pytest.mark.parametrize(
    ("results", "failures", "last"),
    [
        ([("failed", result("a", msg="one")), ("failed", result("b", msg="two"))], {"a": 1, "b": 1}, "b failed: two"),
        ([("failed", result("a", msg="one")), ("failed", result("b", msg="rescued"))], {"a": 1}, "a failed: one"),
        ([("failed", result("a", msg="one")), ("failed", result("a", msg="two"))], {"a": 1}, "a failed: two"),
        ([("unreachable", result("a", msg="no route"))], {"a": 1}, "a unreachable: no route"),
        ([("failed", result("a", **SECRET))], {"a": 1}, "a failed: (hidden by no_log)"),
        (
            [("failed", result("a", msg="All items", results=[{"failed": True, "msg": "x"}, {"msg": "fine"}]))],
            {"a": 1},
            "a failed: x",
        ),
        ([("failed", result("a", results=[{"failed": True, **SECRET}]))], {"a": 1}, "a failed: (hidden by no_log)"),
        ([("failed", result("a", msg="x\x1b[2J\ny"))], {"a": 1}, "a failed: x[2J\ny"),
        ([("failed", result("a"))], {"a": 1}, "a failed: no message"),
        ([("failed", result("a", msg="rescued"))], {}, None),
        ([], {}, None),
    ],
)
def test_the_last_word(
    monkeypatch: pytest.MonkeyPatch, results: list[tuple[str, Any]], failures: dict[str, int], last: str | None
) -> None:
    said = board(monkeypatch)
    for how, found in results:
        getattr(said.callback, f"v2_runner_on_{how}")(found)
    said.callback.v2_playbook_on_stats(SimpleNamespace(failures=failures, dark={}))
    assert said.lines == ([last] if last else [])


def test_an_ignored_failure_is_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    said = board(monkeypatch)
    said.callback.v2_runner_on_failed(result("a", msg="one"))
    said.callback.v2_runner_on_failed(result("a", msg="ignored"), ignore_errors=True)
    said.callback.v2_playbook_on_stats(SimpleNamespace(failures={"a": 1}, dark={}))
    assert said.lines == ["a failed: one"]

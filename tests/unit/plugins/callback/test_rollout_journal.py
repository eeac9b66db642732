# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run leaves for machines, and what it must not."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from tests.unit.plugins.callback.playing import run
from tests.unit.plugins.callback.test_rollout_board import step
from tests.unit.plugins.plugin_utils.rollout_story import CLOSED, OPENED, phase

HIDDEN = "hunter2"
TASKS: list[dict[str, Any]] = [
    {"name": "Say", "ansible.builtin.debug": {"msg": f"argument {HIDDEN}"}},
    {"name": "Change", "rollout_step": {"result": {"changed": True, "rollout_event": "none"}}},
    {"name": "Skip", "ansible.builtin.debug": {"msg": "x"}, "when": False},
    {"name": "Ignore", "ansible.builtin.fail": {"msg": "told"}, "ignore_errors": True},
    {"name": "Hide", "ansible.builtin.fail": {"msg": HIDDEN}, "no_log": True, "ignore_errors": True},
    {
        "name": "Hide items",
        "ansible.builtin.fail": {"msg": "{{ item }}"},
        "loop": [HIDDEN],
        "no_log": True,
        "ignore_errors": True,
    },
    {"name": "Hide event", "rollout_step": {"result": {"rollout_event": {"run": "r1", "x": HIDDEN}}}, "no_log": True},
    {"name": "Fail", "ansible.builtin.fail": {"msg": "the end"}},
]


def lines(path: Path) -> list[dict[str, Any]]:
    """The journal."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def samples(path: Path) -> dict[str, str]:
    """The metrics by name and labels."""
    rows = [line.rpartition(" ") for line in path.read_text().splitlines() if not line.startswith("#")]
    return {name: value for name, _blank, value in rows}


def test_journal_of_a_run(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    done = run(tmp_path, TASKS, STEADFAST_JOURNAL=str(path), ANSIBLE_DISPLAY_ARGS_TO_STDOUT="1")
    assert done.returncode == 2, done.stderr
    assert HIDDEN not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = lines(path)
    assert [row["event"] for row in found] == ["play", *["task", "result"] * len(TASKS), "stats"]
    results = [row for row in found if row["event"] == "result"]
    assert [(row["task"], row["status"], row.get("message")) for row in results] == [
        ("Say", "ok", None),
        ("Change", "changed", None),
        ("Skip", "skipped", None),
        ("Ignore", "failed", "told"),
        ("Hide", "failed", "(hidden by no_log)"),
        ("Hide items", "failed", "(hidden by no_log)"),
        ("Hide event", "ok", None),
        ("Fail", "failed", "the end"),
    ]
    assert [row["action"] for row in results][:2] == ["ansible.builtin.debug", "rollout_step"]
    assert all(row["host"] == "localhost" and row["duration_s"] >= 0 for row in results)
    assert [row["task"] for row in results if row.get("ignored")] == ["Ignore", "Hide", "Hide items"]
    assert set(results[0]) == {"at", "event", "host", "task", "action", "status", "duration_s"}
    assert found[-1]["hosts"]["localhost"]["failures"] == 1


def test_a_rollout_in_journal_and_metrics(tmp_path: Path) -> None:
    path, metrics = tmp_path / "journal.jsonl", tmp_path / "steadfast.prom"
    metrics.write_text(
        'steadfast_rollout_last_run_success{pool="other",release="r0"} 1\n'
        'steadfast_rollout_batches_total{outcome="verified"} 4\nnonsense\n'
    )
    event = {"run": "r1", "pool": "serving", "release": "r-new", "event": "phase", "phase": "verified", "batch": 1}
    tasks = [
        step([{**OPENED, "at": 100.0}, phase("baking", 110.0, ["gpu1"]), phase("verified", 140.0, ["gpu1"])]),
        step([{**phase("verified", 150.0, ["gpu2"]), "batch": 2}, {**CLOSED, "at": 160.0, "outcome": "succeeded"}]),
    ]
    done = run(tmp_path, tasks, {"vars": {"steadfast_journal": str(path)}}, STEADFAST_TEXTFILE=str(metrics))
    assert done.returncode == 0
    assert lines(path)[0]["event"] == "play"
    found = samples(metrics)
    assert found['steadfast_rollout_last_run_timestamp_seconds{pool="serving",release="r-new"}'] == "160"
    assert found['steadfast_rollout_last_run_duration_seconds{pool="serving",release="r-new"}'] == "60"
    assert found['steadfast_rollout_last_run_success{pool="serving",release="r-new"}'] == "1"
    assert found['steadfast_rollout_last_run_success{pool="other",release="r0"}'] == "1"
    assert found['steadfast_rollout_batches_total{outcome="verified"}'] == "6"
    assert found['steadfast_playbook_last_run_success{playbook="play.yml"}'] == "1"
    assert found['steadfast_playbook_last_run_results{playbook="play.yml",status="ok"}'] == "2"
    assert stat.S_IMODE(metrics.stat().st_mode) == 0o644
    # Without a board the steps' results say it.
    done = run(
        tmp_path,
        [{"name": "Step", "rollout_step": {"result": {"rollout_event": event}}}],
        STEADFAST_JOURNAL=str(path),
        STEADFAST_TEXTFILE=str(metrics),
        ANSIBLE_STDOUT_CALLBACK="default",
    )
    assert done.returncode == 0
    assert [row["rollout_event"] for row in lines(path) if "rollout_event" in row] == [event]
    assert samples(metrics)['steadfast_rollout_batches_total{outcome="verified"}'] == "7"


def test_files_that_cannot_be_written_are_told_once(tmp_path: Path) -> None:
    tasks = [{"ansible.builtin.debug": {"msg": "hello"}}] * 3
    env = {"STEADFAST_JOURNAL": str(tmp_path), "STEADFAST_TEXTFILE": str(tmp_path / "none" / "x.prom")}
    done = run(tmp_path, tasks, **env)
    assert done.returncode == 0
    assert done.stderr.count("rollout_journal cannot write its journal") == 1
    assert done.stderr.count("rollout_journal cannot write its metrics") == 1


def test_a_full_disk_is_told_once(tmp_path: Path) -> None:
    done = run(tmp_path, TASKS[:2], STEADFAST_JOURNAL="/dev/full")
    assert done.returncode == 0
    assert done.stderr.count("rollout_journal cannot write its journal") == 1


def test_nobody_asked(tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    done = run(tmp_path, TASKS[:1], STEADFAST_JOURNAL="")
    assert done.returncode == 0
    assert done.stderr == ""
    assert {path.name for path in tmp_path.iterdir()} - {path.name for path in before} == {
        "action_plugins",
        "play.yml",
        "tmp",
    }
    assert [*(tmp_path / "tmp").glob("steadfast*")] == []

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keepalived tells is remembered, whatever was there before."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.vrrp.keepalived import remembered

from tests.unit.roles.program import load


@pytest.fixture(scope="module")
def program() -> ModuleType:
    return load("load_balancer/files/vrrp_notify.py")


def tell(program: ModuleType, folder: Path, state: str) -> int:
    return int(program.main(["192.0.2.100", str(folder), str(folder), "INSTANCE", "platform", state, "250"]))


def test_transitions_are_counted_and_kept(program: ModuleType, tmp_path: Path) -> None:
    for state in ("BACKUP", "MASTER", "MASTER", "FAULT"):
        assert tell(program, tmp_path, state) == 0
    found = remembered((tmp_path / "192.0.2.100.json").read_text())
    assert (found["state"], found["transitions"], found["priority"]) == ("FAULT", 3, 250)
    assert [entry["state"] for entry in found["history"]] == ["BACKUP", "MASTER", "FAULT"]
    metrics = (tmp_path / "steadfast_vrrp_192.0.2.100.prom").read_text()
    assert 'steadfast_vrrp_state{address="192.0.2.100",state="fault"} 1' in metrics
    assert 'steadfast_vrrp_state{address="192.0.2.100",state="master"} 0' in metrics
    assert 'steadfast_vrrp_transitions_total{address="192.0.2.100"} 3' in metrics


@pytest.mark.parametrize("before", ["", "[]", "{", '{"history": 3, "transitions": "many"}', "\udcff"])
def test_a_spoiled_file_is_begun_anew(program: ModuleType, tmp_path: Path, before: str) -> None:
    (tmp_path / "192.0.2.100.json").write_text(before, errors="surrogateescape")
    assert tell(program, tmp_path, "MASTER") == 0
    assert json.loads((tmp_path / "192.0.2.100.json").read_text())["transitions"] == 1


def test_history_is_bounded(program: ModuleType, tmp_path: Path) -> None:
    known: dict = {}
    for number in range(200):
        known = program.after(
            known, "192.0.2.100", ("BACKUP", "MASTER")[number % 2], 250, float(number), ["boot", number, 1]
        )
    assert (len(known["history"]), known["transitions"]) == (program.KEEP, 200)


def test_a_folder_that_is_not_there_is_an_error(program: ModuleType, tmp_path: Path) -> None:
    assert tell(program, tmp_path / "nowhere", "MASTER") == 1


@pytest.mark.parametrize(
    ("when", "state"),
    [
        (["boot", 99, 7], "MASTER"),
        # Within one tick, and by a process that was started before.
        (["boot", 100, 6], "MASTER"),
        (["boot", 100, 8], "BACKUP"),
        (["boot", 101, 2], "BACKUP"),
        # Whatever was known before a reboot is older.
        (["other", 1, 1], "BACKUP"),
    ],
)
def test_what_is_told_late_is_no_news(program: ModuleType, when: list[Any], state: str) -> None:
    known = program.after({}, "192.0.2.100", "MASTER", 250, 10.0, ["boot", 100, 7])
    found = program.after(known, "192.0.2.100", "BACKUP", 250, 11.0, when)
    assert (found["state"], found["transitions"]) == (state, 2)
    assert [entry["state"] for entry in found["history"]][-1] == state
    assert f'state="{state.lower()}"}} 1' in program.textfile(found)


def test_processes_are_told_apart_by_when_they_were_started(program: ModuleType) -> None:
    stat = "4711 (a b) c) S 1 4711 4711 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 123456 1 1"
    assert program.told(stat, "boot") == ["boot", 123456, 4711]

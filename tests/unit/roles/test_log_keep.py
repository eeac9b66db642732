# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs stay within their age and their share of the disk, and the present day stays whatever it takes."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.roles.program import load

TODAY = datetime.date(2026, 3, 31)


@pytest.fixture(scope="module")
def program() -> ModuleType:
    return load("monitoring/files/log_keep.py")


def ago(days: int) -> datetime.date:
    return TODAY - datetime.timedelta(days=days)


@pytest.mark.parametrize(
    ("ages", "limit", "gone"),
    [
        ([0, 1, 29, 30], 1000, []),
        ([0, 30, 31, 400], 1000, [31, 400]),
        # Ten bytes each.
        ([0, 1, 2, 3], 30, [3]),
        ([0, 1, 2, 3], 5, [1, 2, 3]),
        ([0], 5, []),
        ([0, 1, 40], 20, [40]),
        # A clock that was ahead once.
        ([-5, 0, 1], 20, [1]),
    ],
)
def test_the_oldest_days_go_first(program: ModuleType, ages: list[int], limit: int, gone: list[int]) -> None:
    files = [(str(age), ago(age), 10) for age in ages]
    assert sorted(int(path) for path in program.doomed(files, TODAY, 30, limit)) == gone


@pytest.mark.parametrize(
    ("free", "was_closed", "shut"),
    [(1000, False, False), (999, False, True), (0, True, True), (1249, True, True), (1250, True, False)],
)
def test_it_closes_before_the_disk_is_full(program: ModuleType, free: int, was_closed: bool, shut: bool) -> None:
    assert program.closed(free, 1000, was_closed) is shut


def keep(program: ModuleType, logs: Path, metrics: Path, spare: int = 0) -> str:
    """What Prometheus reads after another look."""
    limits = ["--days", "30", "--disk", "1", "--spare", str(spare), "--gate", str(metrics / "closed")]
    assert program.main([str(logs), str(metrics), *limits]) == 0
    return (metrics / "steadfast_log_server.prom").read_text()


def test_the_server_is_stopped_for_as_long_as_it_must(
    program: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(program.subprocess, "run", lambda argv, **_options: told.append(argv[2]))
    for spare in (0, 10**12, 10**12, 0, 0):
        text = keep(program, tmp_path, tmp_path, spare)
        assert f"steadfast_log_server_closed {int(spare > 0)}\n" in text
    assert told == ["stop", "stop", "start"]


def test_only_what_is_a_log_of_a_host_is_touched(program: ModuleType, tmp_path: Path) -> None:
    logs, metrics = tmp_path / "logs", tmp_path / "metrics"
    metrics.mkdir()
    for name in (
        "gpu1/2001-01-01.log",
        "gpu1/2001-02-30.log",
        "gpu1/notes.txt",
        "gone/2001-01-01.log",
        "lb1/2999-01-01.log",
    ):
        (logs / name).parent.mkdir(parents=True, exist_ok=True)
        (logs / name).write_text("0123456789")
    outside = tmp_path / "2001-01-01.log"
    outside.write_text("stays")
    (logs / "gpu1" / "2001-01-02.log").symlink_to(outside)
    (logs / "elsewhere").symlink_to(tmp_path)
    text = keep(program, logs, metrics)
    left = sorted(
        path.relative_to(logs).as_posix() for path in logs.rglob("*") if path.is_file() and not path.is_symlink()
    )
    assert left == ["gpu1/2001-02-30.log", "gpu1/notes.txt", "lb1/2999-01-01.log"]
    assert not (logs / "gone").exists()
    assert outside.read_text() == "stays"
    assert "steadfast_log_server_bytes 10\n" in text


def test_a_full_disk_is_left_nothing(program: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs, metrics = tmp_path / "logs", tmp_path / "metrics"
    logs.mkdir()
    metrics.mkdir()

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        keep(program, logs, metrics)
    assert list(metrics.iterdir()) == []

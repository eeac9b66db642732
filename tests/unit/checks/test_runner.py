# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the summary counts, and that nothing of a step outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checks import __main__, runner, single
from tests.checks.package import problems
from tests.checks.steps import MARK, Step


@pytest.mark.parametrize(
    ("output", "ok", "counted"),
    [
        ("no pytest here\n", True, (1, 0)),
        ("no pytest here\n", False, (0, 1)),
        ("41 passed, 1 skipped in 2.10s\n", True, (41, 0)),
        ("=== 3 failed, 41 passed, 2 errors in 61.10s (0:01:01) ===\n", False, (41, 5)),
        ("== 4 passed in 1.00s ==\nplays\n== 2 passed, 1 warning in 3.00s ==\n", True, (6, 0)),
        ("== 4 passed in 1.00s ==\nthen the play failed\n", False, (4, 1)),
    ],
)
def test_count_cases(output: str, ok: bool, counted: tuple[int, int]) -> None:
    assert runner.count_cases(output, ok) == counted


@pytest.fixture
def turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[single.Turn]:
    """A turn of this test's own, and its logs."""
    monkeypatch.setattr(single, "CACHE", tmp_path)
    monkeypatch.setattr(runner, "LOGS", tmp_path)
    monkeypatch.setattr(__main__, "ROOT", tmp_path)
    with single.turn() as ours:
        yield ours


def gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_step_past_its_limit_is_ended_with_its_children(turn: single.Turn, tmp_path: Path) -> None:
    step = Step("area", "hangs", ("sh", "-c", "echo $$; sleep 60 & sleep 60"), limit=1)
    outcome = runner.run(step, turn, show=False)
    assert (outcome.returncode, outcome.ok, outcome.failed) == (runner.TIMED_OUT, False, 1)
    assert gone(int(outcome.log.read_text()))
    assert (tmp_path / "checks.lock").read_text() == ""


def test_steps_without_a_lab_run_side_by_side_and_are_told_in_order(turn: single.Turn, tmp_path: Path) -> None:
    # Each waits for the other: one after another they would never end.
    meet = "touch {0}; while [ ! -e {1} ]; do sleep 0.05; done; exit {2}"
    places = (tmp_path / "one", tmp_path / "two")
    steps = [
        Step("area", "first", ("sh", "-c", meet.format(*places, 0)), limit=30),
        Step("area", "second", ("sh", "-c", meet.format(*reversed(places), 3)), limit=30),
        Step("area", "third", ("true",)),
    ]
    outcomes = list(__main__._side_by_side(steps, turn))
    assert [(outcome.step.name, outcome.returncode) for outcome in outcomes] == [
        ("first", 0),
        ("second", 3),
        ("third", 0),
    ]


def test_an_interrupt_ends_both(turn: single.Turn, tmp_path: Path) -> None:
    # Whoever runs this in the background has it ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    sleeps = [Step("area", name, ("sleep", "60"), limit=70) for name in ("first", "second", "third")]
    # The first result is never told: the reader is interrupted while it waits.
    reader = threading.main_thread().ident
    assert reader is not None
    threading.Timer(1.0, signal.pthread_kill, (reader, signal.SIGINT)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            list(__main__._side_by_side(sleeps, turn))
    finally:
        signal.signal(signal.SIGINT, before)
    assert (tmp_path / "checks.lock").read_text() == ""
    assert not (tmp_path / "area-third.log").exists()


def test_who_comes_after_a_killed_run_ends_all_that_it_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single, "CACHE", tmp_path)
    # This test may itself be part of a step, and carry its mark.
    unmarked = {name: value for name, value in os.environ.items() if name != MARK}
    left = [
        subprocess.Popen(["sleep", "60"], start_new_session=True, env={**unmarked, **mark})
        for mark in ({MARK: "one"}, {MARK: "two"}, {})
    ]
    (tmp_path / "checks.lock").write_text(" ".join(str(process.pid) for process in left))
    try:
        with single.turn():
            pass
        assert [process.poll() is None and not gone(process.pid) for process in left] == [False, False, True]
    finally:
        for process in left:
            process.kill()
            process.wait()


def test_end_group_ends_who_will_not_listen() -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        single.end_group(process.pid, patience_s=0.3)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_a_package_with_strangers_or_gaps_is_refused() -> None:
    needed = ["README.md", "LICENSE", "CHANGELOG.md", "meta/runtime.yml", "playbooks", "plugins/modules", "roles"]
    assert problems(needed) == []
    assert problems([*needed, ".venv/x"]) == ["does not belong into the package: .venv/x"]
    assert problems([*needed, "inventories/lab/hosts.yml"]) == [
        "does not belong into the package: inventories/lab/hosts.yml"
    ]
    assert problems(needed[1:]) == ["missing in the package: README.md"]

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the summary counts, and that nothing of a step outlives it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checks import runner, single
from tests.checks.package import problems
from tests.checks.steps import Step


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


class NoTurn(single.Turn):
    """Remembers what it was told instead of writing it down."""

    def __init__(self) -> None:
        self.told: list[int | None] = []

    def runs(self, leader: int | None) -> None:
        self.told.append(leader)


def test_a_step_past_its_limit_is_ended_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "LOGS", tmp_path)
    step = Step("area", "hangs", ("sh", "-c", "echo begun; sleep 60 & sleep 60"), limit=1)
    turn = NoTurn()
    outcome = runner.run(step, turn, show=False)
    assert (outcome.returncode, outcome.ok, outcome.failed) == (runner.TIMED_OUT, False, 1)
    assert "begun" in outcome.log.read_text()
    leader = turn.told[0]
    assert leader is not None
    with pytest.raises(ProcessLookupError):
        os.killpg(leader, 0)


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

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Number after number, with a look at the queues after each; what fails ends it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.roles.program import ROLES, load

PROGRAM = "monitoring_agent/files/log_tick.py"


def test_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    program = load(PROGRAM)
    (tmp_path / "mon1").mkdir()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        assert (tmp_path / "steadfast_log_ship.prom").exists()
        (tmp_path / "steadfast_log_ship.prom").unlink()
        if len(slept) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(program.time, "sleep", sleep)
    look = [str(tmp_path), "--statistics", str(tmp_path), "--metrics", str(tmp_path), "--target", "mon1"]
    with pytest.raises(KeyboardInterrupt):
        program.main(["0.5", str(tmp_path), *look])
    assert slept == [0.5] * 3
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["number=1", "number=2", "number=3"]
    assert json.loads((tmp_path / "canary.json").read_text())["said"] == 3


def test_without_a_place_for_its_number_it_ends(tmp_path: Path) -> None:
    command = [sys.executable, ROLES / PROGRAM, "1", tmp_path / "absent", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode
    assert not done.stdout

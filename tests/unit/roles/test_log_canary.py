# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No number is said twice, whatever was on the disk."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.roles.program import load


@pytest.fixture(scope="module")
def program() -> ModuleType:
    return load("monitoring_agent/files/log_canary.py")


def said(program: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, int, int]:
    """Life, number and the number before, as they were said."""
    assert program.main([str(folder)]) == 0
    found = re.fullmatch(r"<5>life=([0-9a-f]{16}) number=(\d+) before=(\d+)\n", capsys.readouterr().out)
    assert found is not None
    return found[1], int(found[2]), int(found[3])


def test_numbers_follow_each_other(program: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [said(program, tmp_path, capsys) for _each in range(3)]
    assert [line[1:] for line in lines] == [(1, 0), (2, 1), (3, 2)]
    assert len({life for life, _number, _before in lines}) == 1


def test_a_number_that_was_kept_from_being_said_is_left_out(
    program: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said(program, tmp_path, capsys)

    def gone(*_arguments: object, **_options: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(program, "print", gone, raising=False)
    with pytest.raises(BrokenPipeError):
        program.main([str(tmp_path)])
    monkeypatch.undo()
    assert said(program, tmp_path, capsys)[1:] == (3, 1)


@pytest.mark.parametrize(
    "spoiled",
    [
        "",
        "[]",
        "{",
        '{"life": "x", "number": 1, "said": 1}',
        '{"life": "0123456789abcdef", "number": true, "said": 1}',
        '{"life": 5}',
    ],
)
def test_a_spoiled_memory_begins_a_new_life(
    program: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoiled: str
) -> None:
    first = said(program, tmp_path, capsys)
    (tmp_path / "canary.json").write_text(spoiled)
    second = said(program, tmp_path, capsys)
    assert second[1:] == (1, 0)
    assert second[0] != first[0]


def test_what_cannot_be_kept_is_not_said(
    program: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(program, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        program.main([str(tmp_path)])
    assert capsys.readouterr().out == ""

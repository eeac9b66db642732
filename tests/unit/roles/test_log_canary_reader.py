# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A number that is missing is told, whatever else comes: late, twice, in any order, or nonsense."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.roles.program import load

LIFE, OTHER = "0123456789abcdef", "fedcba9876543210"
NOW = 1000.0


@pytest.fixture(scope="module")
def program() -> ModuleType:
    return load("monitoring/files/log_canary_reader.py")


def line(number: int, before: int | None = None, source: str = "gpu1", life: str = LIFE, said: int = 900) -> str:
    """A line as the log server writes it; the number before was said unless it is told otherwise."""
    before = number - 1 if before is None else before
    return f"{said} {said + 1} {source}  life={life} number={number} before={before}"


def flock_after(program: ModuleType, lines: list[str], now: float = NOW) -> object:
    flock = program.Flock()
    for each in lines:
        flock.heard(each, now)
    return flock


@pytest.mark.parametrize(
    ("numbers", "missing", "repeated"),
    [
        ([1, 2, 3], [], 0),
        # The first that comes is where it begins: this server may be newer than the source.
        ([7, 8], [], 0),
        ([1, 2, 5], [3, 4], 0),
        ([1, 5, 2, 4], [3], 0),
        ([1, 2, 2, 1, 3], [], 2),
        ([5, 3, 6], [], 1),
        ([1, 4, 3, 2, 3], [], 1),
    ],
)
def test_gaps_and_repetitions(program: ModuleType, numbers: list[int], missing: list[int], repeated: int) -> None:
    source = flock_after(program, [line(number) for number in numbers]).sources["gpu1"]
    assert sorted(source.lives[LIFE].missing) == missing
    assert (source.missing(), source.repeated, source.lost) == (len(missing), repeated, 0)
    assert source.sequence == max(numbers)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_lost_is_found_in_any_order(program: ModuleType, seed: int) -> None:
    chance = random.Random(seed)
    lost = set(chance.sample(range(2, 200), 9))
    numbers = [number for number in range(1, 201) if number not in lost]
    numbers += chance.sample(numbers, 30)
    first, *rest = numbers
    chance.shuffle(rest)
    source = flock_after(program, [line(number) for number in [first, *rest]]).sources["gpu1"]
    source.give_up(NOW + program.PATIENCE + 1)
    assert (source.lost, source.missing(), source.repeated) == (9, 0, 30)


def test_a_number_that_was_never_said_is_not_missed(program: ModuleType) -> None:
    # 4 was kept from being said by a crash; 5 was said and lost.
    source = flock_after(program, [line(3), line(6, before=5), line(9, before=6)]).sources["gpu1"]
    assert sorted(source.lives[LIFE].missing) == [4, 5]
    crashed = flock_after(program, [line(3), line(5, before=3)]).sources["gpu1"]
    assert crashed.missing() == 0


def test_a_new_disk_is_no_gap(program: ModuleType) -> None:
    source = flock_after(program, [line(500), line(1, life=OTHER), line(2, life=OTHER)]).sources["gpu1"]
    assert (source.missing(), source.lost, source.sequence) == (0, 0, 2)


def test_missing_becomes_lost_with_time(program: ModuleType) -> None:
    flock = flock_after(program, [line(1), line(4)])
    flock.settle(NOW + program.PATIENCE - 1)
    assert (flock.sources["gpu1"].missing(), flock.sources["gpu1"].lost) == (2, 0)
    flock.heard(line(2), NOW)
    flock.settle(NOW + program.PATIENCE + 1)
    assert (flock.sources["gpu1"].missing(), flock.sources["gpu1"].lost) == (0, 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00" * 50,
        "life=0123456789abcdef number=1 before=0",
        line(1, before=1),
        line(1, before=2),
        line(1).replace("gpu1", 'gpu1"} 1\nx{y="'),
        line(1).replace("gpu1", "../../etc"),
        line(1).replace("number=1", "number=-1"),
        line(1).replace("number=1", "number=" + "9" * 40),
        line(1).replace("number=1", "number=\u0661"),
        line(1) + " and more",
        "9" * 100000,
    ],
)
def test_nonsense_is_counted_and_changes_nothing(program: ModuleType, text: str) -> None:
    flock = flock_after(program, [line(3), text, line(4)])
    assert flock.refused == 1
    assert (list(flock.sources), flock.sources["gpu1"].missing()) == (["gpu1"], 0)


def test_nobody_leaps_to_the_end_of_numbers(program: ModuleType) -> None:
    flock = flock_after(program, [line(1), line(10**15 - 1), line(2)])
    assert flock.refused == 1
    assert (flock.sources["gpu1"].sequence, flock.sources["gpu1"].missing()) == (2, 0)


def test_memory_is_bounded(program: ModuleType) -> None:
    flock = program.Flock()
    for number in range(program.SOURCES + 50):
        flock.heard(line(1, source=f"host{number}"), NOW)
    assert (len(flock.sources), flock.refused) == (program.SOURCES, 50)
    for number in range(20):
        flock.heard(line(1, source="host1", life=f"{number:016x}"), NOW)
    assert len(flock.sources["host1"].lives) == program.LIVES
    for number in range(1, 50):
        flock.heard(line(number * 900000, source="host2"), NOW)
    source = flock.sources["host2"]
    assert source.missing() == program.GAPS
    # What is not remembered is lost.
    # 49 of them and the first came.
    assert source.missing() + source.lost == 49 * 900000 - 50


def test_a_clock_that_is_ahead_does_not_make_its_host_fresh(program: ModuleType) -> None:
    source = flock_after(program, [f"99999999999 950 gpu1 life={LIFE} number=2 before=1"]).sources["gpu1"]
    assert (source.said, source.came) == (950, 950)
    late = flock_after(program, [line(2, said=900), line(1, said=100)]).sources["gpu1"]
    assert late.said == 900


def test_who_is_silent_for_long_is_forgotten(program: ModuleType) -> None:
    flock = flock_after(program, [line(1)])
    flock.settle(901 + program.SILENCE + 1)
    assert flock.sources == {}


def test_metrics_tell_each_source(program: ModuleType) -> None:
    text = flock_after(program, [line(1), line(4), line(1, source="lb1")]).textfile()
    assert 'steadfast_log_canary_missing{source="gpu1"} 2' in text
    assert 'steadfast_log_canary_missing{source="lb1"} 0' in text
    assert 'steadfast_log_canary_sequence{source="gpu1"} 4' in text
    assert 'steadfast_log_canary_last_timestamp_seconds{source="gpu1"} 900' in text
    assert 'steadfast_log_canary_received_timestamp_seconds{source="gpu1"} 901' in text


def look(program: ModuleType, folder: Path) -> str:
    """What Prometheus reads after another look."""
    assert program.main([str(folder), str(folder)]) == 0
    return (folder / "steadfast_log_canary.prom").read_text()


def write(folder: Path, lines: list[str], day: str = "2026-01-01") -> None:
    with (folder / f"canary-{day}.log").open("a") as stream:
        stream.writelines(each + "\n" for each in lines)


@pytest.fixture
def _recent(program: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program.time, "time", lambda: NOW)


@pytest.mark.usefixtures("_recent")
def test_a_line_is_counted_once_over_many_looks(program: ModuleType, tmp_path: Path) -> None:
    write(tmp_path, [line(1), line(3)])
    assert 'missing{source="gpu1"} 1' in look(program, tmp_path)
    assert 'repeated_total{source="gpu1"} 0' in look(program, tmp_path)
    with (tmp_path / "canary-2026-01-01.log").open("a") as stream:
        stream.write(line(2)[:20])
    assert 'missing{source="gpu1"} 1' in look(program, tmp_path)
    with (tmp_path / "canary-2026-01-01.log").open("a") as stream:
        stream.write(line(2)[20:] + "\n")
    text = look(program, tmp_path)
    assert 'missing{source="gpu1"} 0' in text
    assert "refused_total 0" in text


@pytest.mark.usefixtures("_recent")
def test_days_that_were_read_go(program: ModuleType, tmp_path: Path) -> None:
    for number, day in enumerate(("2026-01-01", "2026-01-02", "2026-01-03"), 1):
        write(tmp_path, [line(number)], day)
    assert 'sequence{source="gpu1"} 3' in look(program, tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.log")) == ["canary-2026-01-02.log", "canary-2026-01-03.log"]


@pytest.mark.usefixtures("_recent")
def test_much_is_read_in_parts(program: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "PART", 1000)
    write(tmp_path, [line(number) for number in range(1, 101)])
    write(tmp_path, [line(number) for number in range(101, 111)], "2026-01-02")
    write(tmp_path, [line(111)], "2026-01-03")
    texts = [look(program, tmp_path) for _look in range(20)]
    assert 'sequence{source="gpu1"} 111' in texts[-1]
    for word in ("missing", "missing_total", "repeated_total"):
        assert all(f'{word}{{source="gpu1"}} 0' in text for text in texts)


@pytest.mark.usefixtures("_recent")
def test_a_line_that_never_ends_does_not_stop_it(program: ModuleType, tmp_path: Path) -> None:
    write(tmp_path, ["x" * 5000, line(1)])
    look(program, tmp_path)
    with (tmp_path / "canary-2026-01-02.log").open("w") as stream:
        stream.write("y" * 5000)
    assert 'sequence{source="gpu1"} 1' in look(program, tmp_path)
    assert json.loads((tmp_path / "canary.json").read_text())["read"]["canary-2026-01-02.log"] == 5000


@pytest.mark.usefixtures("_recent")
@pytest.mark.parametrize(
    "spoiled", ["", "[]", "{", '{"sources": 3}', '{"sources": {"a": {}}, "refused": 0, "read": {}}']
)
def test_a_spoiled_memory_is_begun_anew(program: ModuleType, tmp_path: Path, spoiled: str) -> None:
    write(tmp_path, [line(1), line(2)])
    (tmp_path / "canary.json").write_text(spoiled)
    assert 'sequence{source="gpu1"} 2' in look(program, tmp_path)

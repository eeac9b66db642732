# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restart reads on from a place before everything that may not have arrived."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.roles.program import load


@pytest.fixture(scope="module")
def program() -> ModuleType:
    return load("monitoring_agent/files/log_watch.py")


def statistics(name: str, taken: int, memory: int, disk: int, lost: int = 0) -> str:
    """rsyslog's own words about one target."""
    told = [
        {"name": name, "origin": "core.action", "processed": taken, "failed": 0, "suspended": 0, "resumed": 1},
        {"name": f"{name} queue[DA]", "origin": "core.queue", "size": disk, "enqueued": disk, "discarded.full": lost},
        {"name": f"{name} queue", "origin": "core.queue", "size": memory, "enqueued": taken, "discarded.full": 0},
    ]
    return "".join(f"Fri Nov 27 20:26:21 2026: {json.dumps(each)}\n" for each in told)


def look(program: ModuleType, folder: Path, cursor: int, **added: str) -> str:
    """The metrics after rsyslog has added to its statistics and read the journal up to a line."""
    for name, text in added.items():
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "journal.state").write_text(f"line={cursor}")
        with (folder / name / "statistics").open("a") as stream:
            stream.write(text)
    targets = [word for name in added for word in ("--target", name)]
    assert program.main(["look", str(folder), "--statistics", str(folder), "--metrics", str(folder), *targets]) == 0
    return (folder / "steadfast_log_ship.prom").read_text()


def rewound(program: ModuleType, folder: Path) -> int:
    """The line from which rsyslog would read on for mon1."""
    assert program.main(["rewind", str(folder / "mon1")]) == 0
    return int((folder / "mon1" / "journal.state").read_text().partition("=")[2])


@pytest.mark.parametrize("seed", range(20))
def test_nothing_that_may_be_under_way_lies_before_the_safe_place(
    program: ModuleType, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    taken = left = 0
    moved = False
    for _look in range(60):
        before = taken
        taken += chance.randrange(600)
        if chance.random() < 0.7:
            left = chance.randint(left, taken)
        # What RELP has sent and not seen acknowledged is in no count of rsyslog's.
        arrived = left - 128
        waiting = taken - left
        told = statistics("mon1", taken, min(waiting, 100), max(0, waiting - 100))
        # The cursor may be up to a hundred lines old, and lines come between the statistics and it.
        later = chance.randrange(50)
        look(program, tmp_path, max(before, taken + later - chance.randrange(100)), mon1=told)
        taken += later
        safe = tmp_path / "mon1" / "safe.state"
        if safe.exists():
            moved = True
            assert int(safe.read_text().partition("=")[2]) <= arrived
    assert moved


def test_the_place_follows_when_all_is_well(program: ModuleType, tmp_path: Path) -> None:
    for taken in range(0, 10000, 500):
        look(program, tmp_path, taken, mon1=statistics("mon1", taken, 0, 0))
    assert 8000 <= rewound(program, tmp_path) <= 9500 - program.UNDER_WAY


def test_a_target_that_is_away_holds_the_place(program: ModuleType, tmp_path: Path) -> None:
    for taken in range(0, 50000, 500):
        look(program, tmp_path, taken, mon1=statistics("mon1", taken, 0, max(0, taken - 5000)))
    assert 3000 <= rewound(program, tmp_path) <= 5000 - program.UNDER_WAY
    # rsyslog counts from zero now; the queue that it saved is still there.
    for taken in range(100, 20000, 500):
        look(program, tmp_path, 3000 + taken, mon1=statistics("mon1", taken, 0, 45000 + taken))
    assert rewound(program, tmp_path) <= 5000 - program.UNDER_WAY


def test_places_are_bounded(program: ModuleType) -> None:
    places = program.Places({})
    for number in range(5000):
        places.look({"taken": number, "passed": 0}, f"line={number}")
    assert len(places.places) <= program.PLACES
    places.look({"taken": 5000, "passed": 4000}, None)
    assert places.safe is not None
    assert int(places.safe.partition("=")[2]) <= 4000 - program.UNDER_WAY


def test_metrics_tell_each_target(program: ModuleType, tmp_path: Path) -> None:
    first = look(program, tmp_path, 1, mon1=statistics("mon1", 900, 100, 300, lost=7), mon2=statistics("mon2", 9, 0, 0))
    for row in (
        'steadfast_log_queue_size{target="mon1"} 400',
        'steadfast_log_sent_total{target="mon1"} 493',
        'steadfast_log_sent_total{target="mon2"} 9',
        'steadfast_log_suspended{target="mon1"} 0',
        'steadfast_log_discarded_total{target="mon1"} 7',
    ):
        assert row in first
    # More waits, and nothing has left.
    second = look(program, tmp_path, 2, mon1=statistics("mon1", 950, 100, 350), mon2=statistics("mon2", 9, 0, 0))
    assert 'steadfast_log_suspended{target="mon1"} 1' in second
    assert 'steadfast_log_suspended{target="mon2"} 0' in second
    third = look(program, tmp_path, 3, mon1=statistics("mon1", 951, 100, 300), mon2="")
    assert 'steadfast_log_suspended{target="mon1"} 0' in third


def test_a_saved_queue_counts_when_it_is_sent(program: ModuleType, tmp_path: Path) -> None:
    look(program, tmp_path, 1, mon1=statistics("mon1", 10, 0, 5000))
    text = look(program, tmp_path, 2, mon1=statistics("mon1", 20, 0, 2000))
    assert 'steadfast_log_sent_total{target="mon1"} 3010' in text


def test_a_silent_rsyslog_leaves_what_it_told_last(program: ModuleType, tmp_path: Path) -> None:
    before = look(program, tmp_path, 1, mon1=statistics("mon1", 5, 0, 0), mon2=statistics("mon2", 5, 0, 0))
    assert look(program, tmp_path, 1, mon1="", mon2="") == before
    assert 'steadfast_log_statistics_timestamp_seconds{target="mon1"} ' in before


@pytest.mark.parametrize("spoiled", ["nonsense\n", "x: {\n", 'x: {"name": 3}\n', "x: [1]\n", 'x: {"name": "mon1"}\n'])
def test_nonsense_is_passed_over(program: ModuleType, tmp_path: Path, spoiled: str) -> None:
    (tmp_path / "mon1").mkdir()
    (tmp_path / "mon1" / "watch.json").write_text(spoiled)
    assert "{" not in look(program, tmp_path, 1, mon1=spoiled)
    assert not (tmp_path / "mon1" / "safe.state").exists()
    text = look(program, tmp_path, 2, mon1=spoiled + statistics("mon1", 9, 0, 0))
    assert 'steadfast_log_queue_size{target="mon1"} 0' in text


def test_the_statistics_stay_short(program: ModuleType, tmp_path: Path) -> None:
    text = look(program, tmp_path, 1, mon1=("x" * 100 + "\n") * 20000 + statistics("mon1", 5, 0, 0))
    assert (tmp_path / "mon1" / "statistics").stat().st_size == 0
    assert 'steadfast_log_sent_total{target="mon1"} 5' in text


def test_without_a_safe_place_the_journal_is_read_on(program: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "mon1").mkdir()
    (tmp_path / "mon1" / "journal.state").write_text("line=7")
    assert rewound(program, tmp_path) == 7

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measure itself: the same seed gives the same series, findings are counted as they are said to be."""

from __future__ import annotations

import hashlib

import pytest

from tests.anomaly.evaluate import SEEDS, Count, speak
from tests.anomaly.generator import CALM_DAYS, DAY, DAYS, KINDS, PERCENT, Event, make


def test_the_held_out_seeds_are_those_that_nothing_was_tuned_on():
    held_out = hashlib.sha256(repr(list(SEEDS["held-out"])).encode()).hexdigest()
    assert held_out == "519e9875377c82c61fa7b20d80586dd0d77f24eb0b363e8d54edf808ebcf201f"
    assert not set(SEEDS["held-out"]) & set(SEEDS["tuning"])


@pytest.mark.parametrize("seed", range(len(KINDS)))
def test_a_seed_is_a_series(seed):
    series = make(seed)
    assert series == make(seed)
    assert len(series.values) == DAY * DAYS
    assert all(event.start >= CALM_DAYS * DAY and event.end <= len(series.values) for event in series.events)
    assert all(late.start > early.end for early, late in zip(series.events, series.events[1:]))


def test_a_restart_of_what_counts_is_a_small_sample_or_none_and_never_negative():
    restarts = 0
    for seed in range(len(KINDS) * 8):
        series = make(seed)
        known = [value for value in series.values if value is not None]
        assert min(known) >= 0
        assert series.kind not in PERCENT or max(known) <= 100
        if series.kind == "rate":
            apart = [number for number, value in enumerate(series.values[1:-1], 1) if alone(series.values, number)]
            restarts += len([n for n in apart if not any(e.start <= n <= e.end for e in series.events)])
    assert restarts > 3


def alone(values, number):
    """Whether a sample has lost much of what those beside it have."""
    before, value, after = values[number - 1 : number + 2]
    return None not in (before, value, after) and value < 0.7 * min(before, after)


def test_work_that_is_not_begun_is_a_whole_stretch_of_it():
    events = [
        (make(seed), event) for seed in range(len(KINDS) * 8) for event in make(seed).events if event.kind == "missed"
    ]
    assert events
    for series, event in events:
        known = [value for value in series.values[event.start : event.end] if value is not None]
        assert event.end - event.start > 40
        assert max(known) < 20 < max(value for value in series.values if value is not None)


def said(*numbers):
    found = [False] * (DAY * DAYS)
    for number in numbers:
        found[number] = True
    return found


def test_found_missed_and_imagined():
    start = CALM_DAYS * DAY
    events = [Event("spike", start + 10, start + 16), Event("spike", start + 200, start + 206)]
    count = Count()
    count.add(said(start + 12, start + 13, start + 100, start + 103, start + 140, 5), events)
    # What is said within an hour of an earlier word is the same finding; what was said in calm days is not counted.
    assert (count.found, count.missed, count.imagined, count.delays) == (1, 1, 2, [2])
    assert count.row("x")["precision"] == round(1 / 3, 3)


def test_the_consensus_finds_most_and_imagines_little():
    consensus = Count()
    for seed in SEEDS["held-out"][: len(KINDS)]:
        series = make(seed)
        consensus.add(speak(series)["consensus"], series.events)
    assert consensus.missed <= 3
    assert consensus.imagined <= 3

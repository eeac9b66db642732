# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each kind of query judges once a step, and goes on after a restart as if there had been none."""

from __future__ import annotations

import json
import math
import random

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.models import Features, Limit, Peer, Single
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.score import Score
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.settings import Feature, Query
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.trees import HalfSpaceTrees

STEP, GAP = 300.0, 6 * 3600.0
PLAIN = Query("a", "series", step=STEP)
DAILY = Query("a", "series", step=STEP, period=48)
DISK = Query("a", "limit", step=STEP, limit=1.0)
PAIR = Query("a", "features", step=STEP, features=(Feature("x", "x", 0, 10), Feature("y", "y", -1, 1)))


def again(model, fresh):
    fresh.load(json.loads(json.dumps(model.dump())))
    return fresh


def steady(query=PLAIN, count=60):
    model, chance = Single(query), random.Random(1)
    for step in range(count):
        model.see(query, chance.gauss(100, 2), step * STEP, True, GAP)
    return model


def test_a_step_is_learned_once():
    model = Single(PLAIN)
    for second in range(0, 3000, 60):
        model.see(PLAIN, 5.0, float(second), True, GAP)
    assert model.seen == 10


def test_an_outage_is_seen_between_the_steps_and_its_end_too():
    model = steady()
    assert not model.verdict.anomalous
    model.see(PLAIN, 0.0, 59 * STEP + 60, True, GAP)
    assert model.verdict.anomalous
    assert model.verdict.votes == ("gone",)
    model.see(PLAIN, 100.0, 59 * STEP + 120, True, GAP)
    assert not model.verdict.anomalous
    assert model.seen == 60


def test_what_was_agreed_on_stays_between_the_steps():
    model = steady()
    for step in range(60, 66):
        model.see(PLAIN, 200.0, step * STEP, True, GAP)
    assert model.verdict.anomalous
    model.see(PLAIN, 100.0, 65 * STEP + 60, True, GAP)
    assert model.verdict.anomalous


def test_nothing_is_learned_while_it_is_told_not_to():
    model = steady()
    for step in range(60, 90):
        model.see(PLAIN, 500.0, step * STEP, False, GAP)
    assert model.seen == 60
    assert model.verdict.best.expected == pytest.approx(100, abs=2)


def test_a_missing_value_is_forgiven_for_a_step():
    model = steady()
    model.see(PLAIN, None, 59 * STEP + 60, True, GAP)
    assert model.verdict.ready
    model.see(PLAIN, None, 62 * STEP, True, GAP)
    assert not model.verdict.ready


def test_after_hours_without_a_sample_the_last_hours_are_forgotten_and_the_season_is_not():
    model, chance = Single(DAILY), random.Random(1)
    for step in range(4 * 48):
        model.see(DAILY, 100 + 50 * math.sin(step * math.pi / 24) + chance.gauss(0, 1), step * STEP, True, GAP)
    later = (4 * 48 + 96) * STEP
    model.see(DAILY, 100.0, later, True, GAP)
    scores = model.verdict.scores
    assert (scores["robust"].ready, scores["seasonal"].ready, scores["smoothed"].ready) == (False, True, False)
    assert model.verdict.best.expected == pytest.approx(100, abs=5)


@pytest.mark.parametrize("query", [PLAIN, DAILY])
def test_a_series_goes_on_after_a_restart(query):
    first = steady(query, 200)
    second = again(first, Single(query))
    for step in range(200, 210):
        for model in (first, second):
            model.see(query, 104.0, step * STEP, True, GAP)
    # Who insisted lately is forgotten; three of the last five samples tell it again.
    assert first.verdict == second.verdict
    assert first.seen == second.seen == 210


def test_a_step_that_was_learned_is_not_learned_again_after_a_restart():
    model = again(steady(), Single(PLAIN))
    model.see(PLAIN, 100.0, 59 * STEP + 30, True, GAP)
    assert model.seen == 60


def test_three_of_five_looks_at_a_peer():
    model, odd = Peer(), Score(2.0, 1.0, 0.5, 1.5)
    for step, score in enumerate([odd, odd]):
        model.hear(PLAIN, score, step * STEP)
        assert not model.verdict.anomalous
    model.hear(PLAIN, odd, 1 * STEP + 60)
    assert not model.verdict.anomalous
    model.hear(PLAIN, odd, 2 * STEP)
    assert (model.verdict.anomalous, model.verdict.votes) == (True, ("peers",))
    model.hear(PLAIN, None, 9 * STEP)
    assert not model.verdict.ready


def disk(query=DISK, slope=0.001, start=0.9, count=40):
    model = Limit()
    for step in range(count):
        model.see(query, start + slope * step, step * STEP)
    return model


def test_a_disk_that_fills_up():
    model = disk()
    left = (1.0 - 0.9 - 0.039) / 0.001 * STEP
    assert model.eta == pytest.approx(left, rel=0.01)
    assert model.verdict.anomalous
    assert model.verdict.scores["trend"].score == pytest.approx(86400 / left, rel=0.01)


@pytest.mark.parametrize(
    ("query", "slope", "start"),
    [
        (DISK, 0.0, 0.5),
        (DISK, -0.001, 0.9),
        (Query("a", "limit", step=STEP, limit=1.0, past=0.95), 0.0001, 0.9),
        (Query("a", "limit", step=STEP, limit=1.0, horizons=(60.0,)), 0.001, 0.5),
        (Query("a", "limit", step=STEP, limit=0.0, direction="down"), 0.001, 0.5),
    ],
)
def test_a_disk_that_is_no_trouble(query, slope, start):
    assert not disk(query, slope, start).verdict.anomalous


def test_what_falls_to_its_limit():
    model = disk(Query("a", "limit", step=STEP, limit=0.0, direction="down"), -0.001, 0.1)
    assert model.verdict.anomalous
    assert model.eta == pytest.approx(0.061 / 0.001 * STEP, rel=0.01)


def test_who_is_there_already_needs_no_trend():
    model = disk(start=1.0, slope=0.0, count=1)
    assert (model.eta, model.verdict.anomalous) == (0.0, True)


def test_a_trend_goes_on_after_a_restart_and_forgets_old_samples():
    model = again(disk(), Limit())
    model.see(DISK, 0.94, 40 * STEP)
    assert model.eta == pytest.approx(60 * STEP, rel=0.02)
    model.see(DISK, 0.5, 4000 * STEP)
    assert not model.verdict.ready


def test_features_are_scaled_and_go_on_after_a_restart():
    chance = random.Random(1)
    shape = HalfSpaceTrees(2, random.Random(2).random)
    model = Features(HalfSpaceTrees(2, float, like=shape))
    for step in range(600):
        load = chance.random()
        model.see(PAIR, [10 * load, 2 * load - 1], step * STEP, True)
    second = again(model, Features(HalfSpaceTrees(2, float, like=shape)))
    for each in (model, second):
        each.see(PAIR, [0.5, 0.9], 600 * STEP, True)
    assert model.score == second.score
    assert model.score is not None
    model.see(PAIR, [0.5, None], 601 * STEP, True)
    assert model.score is None


HOSTILE = [
    {"last": "x"}, {"last": -1}, {"last": 1e99}, {"seen": []}, {"series": None}, {"series": {"robust": []}},
    {"series": {"robust": {"window": "AAAA"}}}, {"series": {"robust": {"window": "AADAfwAAwH8="}}},
    {"series": {"shift": {"up": "many"}}}, {"series": {"shift": {"up": float("nan")}}},
    {"series": {"votes": {"robust": [9, 9]}}}, {"series": {"votes": 3}},
    {"series": {"seasonal": {"slots": "A" * 2**23}}}, {"series": {"smoothed": {"season": 3}}},
    {"at": 3}, {"at": [1]}, {"at": ["x"], "values": "AAAAAA=="}, {"values": "AAAA" * 1000}, {"trees": 3},
]  # fmt: skip


@pytest.mark.parametrize("state", HOSTILE, ids=str)
def test_a_state_that_was_made_up_is_an_error_of_one_kind_or_without_effect(state):
    for query, model in ((DAILY, Single(DAILY)), (DISK, Limit()), (PAIR, Features(HalfSpaceTrees(2, random.random)))):
        try:
            model.load(state)
        except (ValueError, TypeError):
            continue
        if isinstance(model, Single):
            model.see(query, 1.0, 1e9, True, GAP)
        elif isinstance(model, Limit):
            model.see(query, 1.0, 1e9)
        else:
            model.see(query, [1.0, 1.0], 1e9, True)

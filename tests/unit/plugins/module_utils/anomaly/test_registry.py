# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Series come, go and are too many; what was learned of them is remembered by their labels."""

from __future__ import annotations

import json
import random

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.answers import Sample
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.registry import Registry, by_key
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.settings import read
from ansible_collections.steadfast.ai_platform.plugins.module_utils.exposition import labels

SERIES = {"name": "rate", "query": "x", "labels": ["instance"]}
PEERS = {"name": "hot", "kind": "peers", "query": "x", "labels": ["gpu", "instance"], "group_by": ["instance"]}
FEATURES = {
    "name": "odd",
    "kind": "features",
    "labels": ["instance"],
    "features": [{"name": "a", "query": "x"}, {"name": "b", "query": "y"}],
}


def settings(*queries, **more):
    return read(json.dumps({"urls": ["http://h"], "queries": queries, "step_seconds": 60, **more}))


def registry(*queries, **more):
    return Registry(settings(*queries, **more), random.Random(1).random, labels)


def samples(**values):
    return [Sample({"instance": name, "other": "x"}, value) for name, value in values.items()]


def take(mine, found, now, name="rate", learn=True):
    query = next(query for query in mine.settings.queries if query.name == name)
    return mine.take(query, found, now, learn)


def absent(mine, name="rate"):
    return {key[0]: known.absent_since for key, known in mine.series[name].items()}


def test_who_vanishes_is_absent_and_then_forgotten():
    mine = registry(SERIES, forget_after_seconds=600)
    take(mine, samples(a=1.0, b=2.0), 0.0)
    take(mine, samples(a=1.0), 60.0)
    assert absent(mine) == {"a": None, "b": 60.0}
    take(mine, samples(a=1.0, b=2.0), 120.0)
    assert absent(mine) == {"a": None, "b": None}
    take(mine, [], 180.0)
    take(mine, samples(a=1.0), 779.0)
    assert absent(mine) == {"a": None, "b": 180.0}
    take(mine, samples(a=1.0), 780.0)
    assert absent(mine) == {"a": None}


def test_a_clock_that_is_set_back_forgets_nobody_for_years():
    mine = registry(SERIES, forget_after_seconds=600)
    take(mine, samples(a=1.0), 4e9)
    take(mine, [], 4e9)
    take(mine, [], 1e9)
    take(mine, [], 1e9 + 600)
    assert len(mine) == 0


def test_too_many_are_refused_and_counted_and_known_ones_stay():
    mine = registry(SERIES, max_series=3)
    take(mine, samples(a=1.0, b=1.0), 0.0)
    take(mine, samples(c=1.0, d=1.0, e=1.0, a=1.0, b=1.0), 60.0)
    assert (len(mine), mine.refused["rate"]) == (3, 2)
    assert set(absent(mine)) == {"a", "b", "c"}
    take(mine, samples(a=1.0), 120.0)
    assert mine.refused["rate"] == 0


def test_who_cannot_be_told_apart_has_no_value_and_is_not_absent():
    query = settings(SERIES).queries[0]
    found = [Sample({"instance": "a", "disk": "1"}, 1.0), Sample({"instance": "a", "disk": "2"}, 2.0), *samples(b=3.0)]
    assert by_key(query, found) == ({("a",): None, ("b",): 3.0}, 2)
    mine = registry(SERIES)
    assert take(mine, found, 0.0) == 2
    assert absent(mine) == {"a": None, "b": None}
    assert mine.series["rate"]["a",].model.seen == 0


def test_peers_are_compared_within_their_group():
    mine = registry(PEERS)
    for step in range(3):
        found = [
            Sample({"gpu": str(gpu), "instance": host}, base + gpu + (40 if (host, gpu) == ("b", 3) else 0))
            for host, base in (("a", 50.0), ("b", 80.0))
            for gpu in range(8)
        ]
        take(mine, found, step * 60.0, "hot")
    said = [key for key, known in mine.series["hot"].items() if known.model.verdict.anomalous]
    assert said == [("3", "b")]
    assert mine.rates() == {"a": 0.0, "b": 1 / 8}


def test_features_of_a_host_come_together():
    mine = registry(FEATURES)
    query = mine.settings.queries[0]
    for step in range(260):
        mine.take_features(query, [samples(a=0.5, b=0.5), samples(a=0.5)], step * 60.0, True)
    scores = {key[0]: known.model.score for key, known in mine.series["odd"].items()}
    assert scores["a"] is not None
    assert scores["b"] is None


def test_rates_are_of_those_that_can_be_judged():
    mine = registry(SERIES, {**SERIES, "name": "other"})
    for step in range(60):
        for name in ("rate", "other"):
            take(mine, samples(a=5.0 + step % 3, b=5.0), step * 60.0, name)
    take(mine, samples(a=0.0, b=5.0), 3600.0)
    take(mine, samples(a=5.0), 3600.0, "other")
    assert mine.rates() == {"a": 0.5, "b": 0.0}
    mine.unanswered.add("other")
    assert mine.rates() == {"a": 1.0, "b": 0.0}


def test_what_was_learned_is_remembered():
    first = registry(SERIES, PEERS, FEATURES)
    for step in range(40):
        take(first, samples(a=5.0 + step % 3, b=5.0), step * 60.0)
        take(first, [Sample({"gpu": "0", "instance": "a"}, 1.0)], step * 60.0, "hot")
        first.take_features(first.settings.queries[2], [samples(a=0.1), samples(a=0.2)], step * 60.0, True)
    take(first, samples(a=5.0), 2400.0)
    records = json.loads(json.dumps(list(first.dump())))
    second = registry(SERIES, PEERS, FEATURES)
    for record in records:
        second.load(record)
    assert json.loads(json.dumps(list(second.dump()))) == records
    assert absent(second) == {"a": None, "b": 2400.0}
    assert second.series["rate"]["a",].model.seen == 41


def test_what_is_no_longer_asked_is_not_remembered():
    first = registry(SERIES, {**SERIES, "name": "gone"})
    for name in ("rate", "gone"):
        take(first, samples(a=1.0), 0.0, name)
    for other in (
        registry(SERIES),
        registry({**SERIES, "labels": ["instance", "pool"]}),
        registry({**PEERS, "name": "rate"}),
    ):
        for record in first.dump():
            other.load(record)
    assert len(other) == 0
    small = registry({**SERIES, "name": "gone"}, SERIES, max_series=1)
    for record in first.dump():
        small.load(record)
    assert len(small) == 1


@pytest.mark.parametrize(
    "record",
    [
        None,
        {},
        [],
        [1, 2, 3],
        ["rate", "series", [1], None, {}],
        ["rate", "series", "a", None, {}],
        [[], "series", ["a"], None, {}],
        ["rate", "series", ["a"], "x", {"series": {}}],
        ["rate", "series", ["a"], float("nan"), {"series": {}}],
        ["rate", "series", ["a"], None, []],
        ["rate", "series", ["a"], None, {}],
    ],
)
def test_a_record_that_was_made_up(record):
    with pytest.raises(ValueError, match=r"."):
        registry(SERIES).load(record)

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shown can be parsed, whatever labels say, and holds what the contract names."""

from __future__ import annotations

import json
import math
import random
import re

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly import exposition
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.answers import Sample
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.registry import Registry
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.settings import read
from ansible_collections.steadfast.ai_platform.plugins.module_utils.exposition import escaped, labels
from hypothesis import given
from hypothesis import strategies as st

QUERIES = [
    {"name": "rate", "query": "x", "labels": ["instance"], "step_seconds": 60},
    {"name": "brief", "query": "x", "labels": ["instance"], "step_seconds": 60, "detail": False},
    {"name": "disk", "kind": "limit", "query": "x", "labels": ["instance"], "limit": 1, "step_seconds": 60},
]
LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? ([-+.e0-9]+|NaN|[+-]Inf)\Z')


def parsed(text):
    """Every sample by name and labels. Each line must be one, each family in one piece with its type before it."""
    found, families = {}, []
    for line in text.decode().split("\n")[:-1]:
        if line.startswith("# TYPE"):
            families.append(line.split()[2])
        elif not line.startswith("#"):
            match = LINE.match(line)
            assert match, line
            assert match.group(1) == families[-1]
            assert (match.group(1), match.group(2)) not in found
            found[match.group(1), match.group(2)] = float(match.group(3))
    assert len(families) == len(set(families))
    return found


def filled(count=40):
    settings = read(json.dumps({"urls": ["http://h"], "queries": QUERIES, "freeze_query": "y"}))
    mine = Registry(settings, random.Random(1).random, labels)
    for step in range(count):
        for query in settings.queries:
            value = 0.5 + 0.001 * step if query.kind == "limit" else 5.0 + step % 3
            samples = [Sample({"instance": name}, value) for name in ("a", "b")[: 2 if step < 10 else 1]]
            mine.take(query, samples, step * 60.0, True)
    return mine


def test_everything_that_is_promised_is_shown():
    status = exposition.Status(1700000000.0, 0.25, True, 1699999999.5, 12.5, 5e7, {("rate", "timeout"): 2})
    found = parsed(exposition.render(filled(), status))
    where = 'query="rate",instance="a",series="a"'
    shown = {
        name.replace("steadfast_anomaly_", ""): value for (name, labels), value in found.items() if labels == where
    }
    assert shown["consensus"] == 0
    assert (shown["model_ready"], shown["absent"], shown["samples_seen"]) == (1, 0, 40)
    assert shown["lower"] < shown["expected"] < shown["upper"]
    assert found["steadfast_anomaly_score", where + ',detector="robust"'] < 1
    assert found["steadfast_anomaly_absent", 'query="rate",instance="b",series="b"'] == 1
    assert ("steadfast_anomaly_consensus", 'query="rate",instance="b",series="b"') not in found
    assert found["steadfast_anomaly_eta_seconds", 'query="disk",instance="a",series="a"'] == pytest.approx(
        461 * 60, rel=0.01
    )
    assert found["steadfast_anomaly_node_rate", 'instance="a"'] == pytest.approx(1 / 3)
    assert found["steadfast_anomaly_query_failures_total", 'query="rate",reason="timeout"'] == 2
    assert found["steadfast_anomaly_query_failures_total", 'query="freeze",reason="status"'] == 0
    assert found["steadfast_anomaly_series_refused", 'query="rate"'] == 0
    alone = {name: value for (name, labels), value in found.items() if labels is None}
    assert alone == {
        "steadfast_anomaly_series": 6,
        "steadfast_anomaly_frozen": 1,
        "steadfast_anomaly_last_run_timestamp_seconds": 1700000000.0,
        "steadfast_anomaly_run_seconds": 0.25,
        "steadfast_anomaly_state_saved_timestamp_seconds": 1699999999.5,
        "process_cpu_seconds_total": 12.5,
        "process_resident_memory_bytes": 5e7,
    }


def test_a_query_without_detail_says_less():
    found = parsed(exposition.render(filled(), exposition.Status()))
    brief = {name for name, labels in found if labels and labels.startswith('query="brief",instance="a"')}
    assert brief == {f"steadfast_anomaly_{name}" for name in ("absent", "consensus", "model_ready")}


@pytest.mark.parametrize(("room", "told"), [(6, {"a", "b"}), (5, {"b"}), (0, set())])
def test_where_there_are_many_only_the_anomalous_are_told_in_full(room, told):
    settings = read(json.dumps({"urls": ["http://h"], "queries": QUERIES[:1], "max_detailed_series": room}))
    mine = Registry(settings, random.Random(1).random, labels)
    for step in range(41):
        values = {"a": 5.0, "b": 0.0 if step == 40 else 5.0, **dict.fromkeys("cdef", 5.0)}
        mine.take(settings.queries[0], [Sample({"instance": n}, v) for n, v in values.items()], step * 60.0, True)
    found = parsed(exposition.render(mine, exposition.Status()))
    detailed = {labels.split('"')[3] for name, labels in found if name == "steadfast_anomaly_samples_seen"}
    assert detailed & {"a", "b"} == told
    assert len([name for name, _labels in found if name == "steadfast_anomaly_consensus"]) == 6


def test_a_query_without_an_answer_says_nothing():
    mine = filled()
    mine.unanswered.add("rate")
    found = parsed(exposition.render(mine, exposition.Status()))
    assert not [name for name, labels in found if labels and labels.startswith('query="rate",instance')]


@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_a_label_says_the_page_can_be_read(first, second):
    settings = read(json.dumps({"urls": ["http://h"], "queries": QUERIES[:1]}))
    mine = Registry(settings, random.Random(1).random, labels)
    mine.take(settings.queries[0], [Sample({"instance": first}, 1.0), Sample({"instance": second}, 2.0)], 0.0, True)
    text = exposition.render(mine, exposition.Status())
    names = {labels for name, labels in parsed(text) if name == "steadfast_anomaly_consensus"}
    assert len(names) == (2 if first != second else 1)


def test_escapes():
    assert escaped('a"b\\c\nd') == 'a\\"b\\\\c\\nd'


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (0.1, "0.1"), (math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN")]
)
def test_values(value, text):
    assert exposition.number(value) == text

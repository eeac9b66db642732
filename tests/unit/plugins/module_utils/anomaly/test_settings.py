# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration that is right is understood; one that is wrong is refused with all that is wrong, and where."""

from __future__ import annotations

import json

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.settings import read
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused
from hypothesis import given
from hypothesis import strategies as st

SERIES = {"name": "requests", "query": "rate(x[5m])", "labels": ["pool"], "period_seconds": 86400}
LIMIT = {"name": "disk", "kind": "limit", "query": "x", "limit": 1}
FEATURE = {"name": "load", "query": "x", "low": 0, "high": 8}
FEATURES = {"name": "node", "kind": "features", "labels": ["instance"], "features": [FEATURE, {**FEATURE, "name": "b"}]}


def configuration(*queries, **more):
    return json.dumps({"urls": ["http://127.0.0.1:9090"], "queries": list(queries), **more})


def problems(*queries, **more):
    with pytest.raises(Refused) as caught:
        read(configuration(*queries, **more))
    return caught.value.message.splitlines()


def test_defaults():
    settings = read(configuration(SERIES))
    assert (settings.interval, settings.listen_port, settings.max_series) == (60, 9120, 10000)
    query = settings.queries[0]
    assert (query.kind, query.step, query.period, query.counts, query.detail) == ("series", 300, 288, False, True)


def test_every_kind():
    peers = {"name": "hot", "kind": "peers", "query": "x", "labels": ["gpu", "model"], "group_by": ["model"]}
    settings = read(
        configuration(SERIES, peers, {**LIMIT, "direction": "down", "past": 0.4, "horizons": [9, 3]}, FEATURES)
    )
    _series, compared, limit, features = settings.queries
    assert compared.group_by == ("model",)
    assert (limit.direction, limit.past, limit.horizons) == ("down", 0.4, (3.0, 9.0))
    assert [each.name for each in features.features] == ["load", "b"]


def test_a_laboratory_is_in_a_hurry():
    settings = read(configuration({**SERIES, "period_seconds": 600}, interval_seconds=5, step_seconds=5))
    assert (settings.interval, settings.queries[0].step, settings.queries[0].period) == (5, 5, 120)


def test_a_slow_interval_is_the_step():
    assert read(configuration({"name": "a", "query": "x"}, interval_seconds=600)).queries[0].step == 600


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"query": "x"}, "queries[0].name: is required, and to be a text"),
        ({"name": "a"}, "queries[0].query: is required, and to be a text"),
        ({"name": "a", "query": "  "}, "queries[0].query: is required, and to be a text"),
        ({"name": "Upper", "query": "x"}, "queries[0].name: 'Upper' does not match"),
        (
            {"name": "a", "query": "x", "kind": "magic"},
            "queries[0].kind: is to be one of series, peers, limit, features",
        ),
        ({"name": "a", "query": "x", "perriod_seconds": 86400}, "queries[0].perriod_seconds: is not known here"),
        (
            {"name": "a", "query": "x", "period_seconds": 1000},
            "queries[0].period_seconds: 1000 is to be 4 to 2016 times",
        ),
        ({"name": "a", "query": "x", "period_seconds": 604800 * 2}, "queries[0].period_seconds: 1.2096e+06 is to be"),
        ({"name": "a", "query": "x", "resolution": 0}, "queries[0].resolution: is to be a number"),
        ({"name": "a", "query": "x", "counts": "yes"}, "queries[0].counts: is to be true or false"),
        ({"name": "a", "query": "x", "labels": "pool"}, "queries[0].labels: is to be a list"),
        ({"name": "a", "query": "x", "labels": ["query"]}, "queries[0].labels: 'query' is no label, or one that"),
        ({"name": "a", "query": "x", "labels": ["a", "a"]}, "queries[0].labels: a label is there twice"),
        (
            {"name": "a", "query": "x", "step_seconds": 5},
            "queries[0].step_seconds: 5 is less than interval_seconds (60)",
        ),
        ({"name": "a", "query": "x", "kind": "peers", "group_by": ["m"]}, "queries[0].group_by: m is not among labels"),
        ({**LIMIT, "limit": None}, "queries[0].limit: is to be a number"),
        ({**LIMIT, "horizons": []}, "queries[0].horizons: is to be a list of seconds, one at least"),
        ({**LIMIT, "direction": "left"}, "queries[0].direction: is to be one of up, down"),
        ({**LIMIT, "period_seconds": 86400}, "queries[0].period_seconds: is not known here"),
        ({**FEATURES, "features": [FEATURE]}, "queries[0].features: two at least"),
        (
            {**FEATURES, "features": [FEATURE, {**FEATURE, "high": 0}]},
            "queries[0].features[1].high: is to be more than",
        ),
    ],
)
def test_a_query_that_is_wrong(query, told):
    assert any(line.startswith(told) for line in problems(query)), problems(query)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"urls": []}, "urls: one at least is required"),
        ({"urls": ["file:///etc/passwd"]}, "urls[0]: 'file:///etc/passwd' is no http address"),
        ({"urls": ["http://user:secret@host"]}, "urls[0]: "),
        ({"urls": ["http://host:99999"]}, "urls[0]: "),
        ({"urls": ["http://host/prometheus", "http://host?x"]}, "urls[1]: "),
        ({"interval_seconds": 0}, "interval_seconds: is to be a number from 1 to 3600"),
        ({"interval_seconds": True}, "interval_seconds: is to be a number"),
        ({"listen_port": 65536}, "listen_port: is to be a number from 0 to 65535"),
        ({"max_series": float("nan")}, "max_series: is to be a number"),
        ({"colour": "red"}, "colour: is not known here"),
    ],
)
def test_what_is_wrong_beside_the_queries(more, told):
    assert any(line.startswith(told) for line in problems(SERIES, **more)), problems(SERIES, **more)


@pytest.mark.parametrize("url", ["http://h", "https://mon1:9090", "http://[::1]:9090", "http://h:80/prometheus"])
def test_addresses(url):
    assert read(configuration(SERIES, urls=[url])).urls == (url,)


def test_everything_that_is_wrong_is_said_at_once():
    assert len(problems({"name": "a"}, {"name": "a", "query": "x", "labels": [1]}, interval_seconds="x")) == 4


@pytest.mark.parametrize("text", ["", "{", "[" * 100000, "null", "[]", "1" * 5000])
def test_what_is_no_configuration(text):
    with pytest.raises(Refused):
        read(text)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda each: st.lists(each) | st.dictionaries(
    st.sampled_from(["name", "kind", "query", "labels", "limit", "features", "horizons", "x"]), each
)))  # fmt: skip
def test_whatever_is_given_is_read_or_refused(query):
    try:
        read(json.dumps({"urls": ["http://h"], "queries": [query]}))
    except Refused:
        pass

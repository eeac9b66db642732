# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gates on foreign answers: tables, and garbage that must neither raise nor pass."""

from __future__ import annotations

import json
import math

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.metric_gates import (
    alerts_gate,
    custom_gate,
    gpu_gate,
    load_time_gate,
    progress_gate,
    prometheus_gate,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# How fast a loaded machine is says nothing about the code.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NOW, NAN, INF = 1_000_000.0, math.nan, math.inf
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("samples", "verdict", "reason"),
    [
        ([(0, 1, 0, 5), (10, 1, 0, 9), (20, 1, 0, 12)], "pass", "for 0 s, allowed are 15 s"),
        ([(0, 1, 0, 5), (10, 1, 0, 5), (20, 1, 3, 5)], "fail", "made no token for 20 s"),
        ([(0, 0, 2, 0), (15, 0, 2, 0)], "fail", "15 s"),
        ([(0, 1, 0, 5), (14, 1, 0, 5)], "pass", "14 s"),
        ([(20, 1, 0, 5), (0, 1, 0, 5)], "fail", "20 s"),
        ([(0, 1, 0, 5), (10, 0, 0, 5), (20, 1, 0, 5), (30, 1, 0, 5)], "pass", "10 s"),
        ([(0, 1, 0, 5), (10, 1, 0, 5), (20, 1, 0, 5), (30, 1, 0, 99)], "fail", "20 s"),
        ([(0, 1, 0, 5), (10, 1, 0, 0), (20, 1, 0, 5)], "pass", "0 s"),  # it was restarted
        ([(0, 1, 0, 5), (10, 1, 0, None), (20, 1, 0, 5)], "fail", "20 s"),
        ([(0, 1, 0, 5), (10, 1, 0, None), (90, 1, 0, None)], "pass", "0 s"),
        ([(0, 0, 0, 5), (60, 0, 0, 5)], "pass", "0 s"),
        ([(0, 1, 0, None), (60, 1, 0, None)], "pass", "does not say"),
        ([], "inconclusive", "could not be looked at"),
        ([(0, 1, 0, NAN)], "inconclusive", "no number"),
        ([(0, -1, 0, 3)], "inconclusive", "no number"),
        ([(0, 1, "0", 3)], "inconclusive", "no number"),
        ([(0, 1, 3)], "inconclusive", "no number"),
        ([(0, None, 0, 3)], "inconclusive", "no number"),
    ],
)
def test_progress_gate(samples, verdict, reason):
    result = progress_gate(samples, 15)
    assert (result.gate, result.verdict) == ("progress", verdict)
    assert reason in result.reason


@pytest.mark.parametrize(
    ("seconds", "earlier", "verdict", "reason"),
    [
        (500, [], "pass", "no budget learned yet"),
        (500, [10, 10], "pass", "no budget learned yet"),
        (500, [10, 10, NAN, "x", None], "pass", "no budget learned yet"),
        (30, [10, 11, 90], "pass", "loaded in 30.0 s, usual are 11.0 s, allowed 33.0 s"),
        (34, [10, 11, 90], "fail", "allowed 33.0 s"),
        (19, [1, 1, 1], "pass", "allowed 20.0 s"),
        (21, [1, 1, 1], "fail", "allowed 20.0 s"),
        (NAN, [1, 1, 1], "inconclusive", "not known"),
        (None, [1, 1, 1], "inconclusive", "not known"),
        (-1, [1, 1, 1], "inconclusive", "not known"),
    ],
)
def test_load_time_gate(seconds, earlier, verdict, reason):
    result = load_time_gate(seconds, earlier, factor=3, floor_s=20)
    assert (result.gate, result.verdict) == ("load_time", verdict)
    assert reason in result.reason


def vector(*points):
    result = [{"metric": {"instance": str(number)}, "value": point} for number, point in enumerate(points)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def scalar(point):
    return {"status": "success", "data": {"resultType": "scalar", "result": point}}


@pytest.mark.parametrize(
    ("reply", "verdict", "reason"),
    [
        (vector([NOW, "0.4"], [NOW, "0.5"]), "pass", "2 value(s) within limits, from 0.4 to 0.5"),
        (vector([NOW, "0.4"], [NOW, "0.6"]), "fail", "{'instance': '1'} is 0.6, max is 0.5"),
        (vector([NOW, "0.05"]), "fail", "is 0.05, min is 0.1"),
        (vector([NOW, "NaN"], [NOW, "0.6"]), "fail", "0.6"),
        (scalar([NOW - 60, "0.3"]), "pass", "1 value"),
        (scalar([NOW, "0.9"]), "fail", "the value is 0.9"),
        (scalar([NOW - 61, "0.3"]), "inconclusive", "61 s old, allowed are 60 s"),
        (scalar([NOW + 61, "0.3"]), "inconclusive", "61 s in the future"),
        (scalar([NOW - 61, "0.9"]), "inconclusive", "old"),
        (vector([NOW, "0.3"], [NOW - 99, "0.3"]), "inconclusive", "99 s old"),
        (vector([NOW, "0.3"], [NOW, "NaN"]), "inconclusive", "no number"),
        (vector([NOW, "+Inf"]), "inconclusive", "no number"),
        (vector([NOW, None]), "inconclusive", "no number"),
        (vector([NOW, True]), "inconclusive", "no number"),
        (vector([NOW, "0_3"]), "inconclusive", "no number"),
        (vector([NOW]), "inconclusive", "a value that is none"),
        (vector(None), "inconclusive", "a value that is none"),
        (vector(), "inconclusive", "no data for this query"),
        ("connection refused", "inconclusive", "could not be asked: connection refused"),
        ("", "inconclusive", "could not be asked"),
        ({"status": "error", "error": "parse\nerror"}, "inconclusive", "an error: parse error"),
        ({**vector([NOW, "0.3"]), "status": "SUCCESS"}, "inconclusive", "status is SUCCESS"),
        ({"status": "success"}, "inconclusive", "no data"),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, "inconclusive", "a matrix"),
        ({"status": "success", "data": {"resultType": "vector", "result": {}}}, "inconclusive", "not a vector"),
        ({"status": "success", "data": {"resultType": "vector", "result": [1]}}, "inconclusive", "that is none"),
        (None, "inconclusive", "not understood"),
    ],
)
def test_prometheus_gate(reply, verdict, reason):
    result = prometheus_gate({"name": "load", "max": 0.5, "min": "0.1"}, reply, NOW, 60)
    assert (result.gate, result.verdict) == ("prometheus load", verdict)
    assert reason in result.reason
    json.dumps(result.to_dict(), allow_nan=False)


@pytest.mark.parametrize("query", [{}, {"name": "x"}, {"max": "much"}, {"max": 1, "min": NAN}, {"max": True}])
def test_a_query_without_a_limit_never_passes(query):
    assert prometheus_gate(query, scalar([NOW, "0.3"]), NOW, 60).verdict == "inconclusive"


def alerts(*entries):
    return {"status": "success", "data": {"alerts": list(entries)}}


def alert(state="firing", **labels):
    return {"state": state, "labels": {"alertname": "Hot", "severity": "critical", "pool": "chat", **labels}}


@pytest.mark.parametrize(
    ("reply", "verdict", "reason"),
    [
        (alerts(), "pass", "no critical alert for pool chat"),
        (alerts(alert(), alert(alertname="Broken")), "fail", "critical for pool chat: Broken, Hot"),
        (alerts({}, alert()), "fail", "Hot"),
        (alerts(alert(pool="other"), alert(severity="warning"), alert(state="pending")), "pass", ""),
        (alerts({"state": "firing", "labels": {"severity": "critical"}}), "pass", ""),
        (alerts({"state": "firing"}), "inconclusive", "an alert that is none"),
        (alerts(alert(state="on fire")), "inconclusive", "an alert that is none"),
        (alerts(3), "inconclusive", "an alert that is none"),
        ({"status": "success", "data": {}}, "inconclusive", "no list"),
        ({"status": "success", "data": {"alerts": {}}}, "inconclusive", "no list"),
        ({"status": "error", "data": {"alerts": []}}, "inconclusive", "error"),
        ("timed out", "inconclusive", "timed out"),
        (None, "inconclusive", "not understood"),
    ],
)
def test_alerts_gate(reply, verdict, reason):
    result = alerts_gate(reply, "chat")
    assert (result.gate, result.verdict) == ("alerts", verdict)
    assert reason in result.reason


@pytest.mark.parametrize(
    ("findings", "verdict", "reason"),
    [
        ([], "pass", "0 finding(s)"),
        ([{"severity": "warn", "text": "hot"}], "pass", "1 finding(s), none of them failing"),
        ([{"severity": "warn"}, {"severity": "fail", "text": "Xid 79"}], "fail", "Xid 79"),
        ([{}, {"severity": "fail"}], "fail", ""),
        ([{"text": "Xid 79"}], "inconclusive", "Xid 79"),
        ([None], "inconclusive", "not understood"),
        ({"severity": "fail"}, "inconclusive", "could not be read"),
        (None, "inconclusive", "could not be read"),
        ("", "inconclusive", "could not be read"),
    ],
)
def test_gpu_gate(findings, verdict, reason):
    result = gpu_gate(findings)
    assert (result.gate, result.verdict) == ("gpu", verdict)
    assert reason in result.reason


@pytest.mark.parametrize(
    ("result", "verdict", "reason"),
    [
        ({"rc": 0, "msg": "all well"}, "pass", "rc 0: all well"),
        ({"rc": 3, "msg": "too\x1b[31m dark"}, "fail", "rc 3: too [31m dark"),
        ({"rc": -9}, "fail", "rc -9: no message"),
        ({"status": 204}, "pass", "status 204"),
        ({"status": 503, "msg": "busy"}, "fail", "status 503: busy"),
        ({"status": 302}, "fail", "status 302"),
        ({"rc": 1, "status": 200}, "fail", "rc 1 and status 200"),
        ({"rc": 0, "unreachable": True, "msg": "no route"}, "inconclusive", "could not be asked: no route"),
        ({"status": -1, "msg": "refused"}, "inconclusive", "which no server answers: refused"),
        ({"rc": "0"}, "inconclusive", "neither"),
        ({"rc": False}, "inconclusive", "neither"),
        ({"rc": None, "msg": "died"}, "inconclusive", "died"),
        ({}, "inconclusive", "neither"),
        (None, "inconclusive", "could not be asked"),
        ("timed out", "inconclusive", "timed out"),
    ],
)
def test_custom_gate(result, verdict, reason):
    found = custom_gate("light", result)
    assert (found.gate, found.verdict) == ("custom light", verdict)
    assert reason in found.reason


@UNHURRIED
@given(JSON)
def test_garbage_neither_raises_nor_passes(reply):
    query = {"name": "x", "max": 1e300}
    for shape in (reply, {"status": "success", "data": reply}, scalar(reply), vector(reply), vector([NOW, "1"], reply)):
        assert prometheus_gate(query, shape, NOW, 60).verdict == "inconclusive"
    for shape in (reply, {"status": "success", "data": reply}, alerts(reply)):
        assert alerts_gate(shape, "chat").verdict == "inconclusive"
    assert gpu_gate([reply]).verdict == "inconclusive"
    assert gpu_gate(reply).verdict == ("pass" if reply == [] else "inconclusive")
    assert custom_gate("x", reply).verdict == "inconclusive"
    assert custom_gate("x", {"msg": reply}).verdict == "inconclusive"


@UNHURRIED
@given(st.lists(st.tuples(JSON, JSON, JSON, JSON) | JSON, max_size=3), JSON, st.lists(JSON, max_size=4))
def test_garbage_never_raises(samples, seconds, earlier):
    assert progress_gate(samples, 15).to_dict()
    assert load_time_gate(seconds, earlier, 3, 20).to_dict()
    assert custom_gate("x", {"rc": seconds, "status": seconds}).to_dict()

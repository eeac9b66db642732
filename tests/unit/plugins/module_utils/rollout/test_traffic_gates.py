# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gates on what the balancers counted: tables, and properties over whatever they might count."""

from __future__ import annotations

import json

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.evidence import Totals
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.gate import Limits
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.traffic_gates import (
    balancer_gate,
    budget_gate,
    error_gate,
    latency_gate,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# How fast a loaded machine is says nothing about the code.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

UP = {"status": "UP", "up": True, "check_status": "L7OK"}
DOWN = {"status": "DOWN", "up": False, "check_status": "L4CON"}
LIMITS = Limits()
COUNT = st.integers(0, 1_000_000)


@pytest.mark.parametrize(
    ("seen", "downs", "verdict", "reason"),
    [
        ({"lb1": {"gpu1": UP}, "lb2": {"gpu1": UP, "gpu9": DOWN}}, {}, "pass", "gpu1 UP on lb1, lb2"),
        ({"lb1": {"gpu1": UP}, "lb2": {"gpu1": DOWN}}, {}, "fail", "gpu1 on lb2 is DOWN (L4CON)"),
        ({"lb1": {"gpu1": {**DOWN, "status": "DRAIN"}}}, {}, "fail", "gpu1 on lb1 is DRAIN"),
        ({"lb1": {"gpu1": {**DOWN, "status": "UP 1/2"}}}, {}, "fail", "gpu1 on lb1 is UP 1/2"),
        ({"lb1": {"gpu2": UP}}, {}, "fail", "gpu1 on lb1 is not a server of the pool"),
        ({"lb1": {"gpu1": UP}}, {"gpu1": 2}, "fail", "gpu1 went DOWN 2 time(s) during the bake"),
        ({"lb1": {"gpu1": UP}}, {"gpu2": 2}, "pass", "UP"),
        ({"lb1": {"gpu1": UP}, "lb2": None}, {}, "inconclusive", "lb2 could not be read (no reason given)"),
        ({"lb1": {"gpu1": UP}, "lb2": "no\nsocket"}, {}, "inconclusive", "lb2 could not be read (no socket)"),
        ({"lb1": {"gpu1": DOWN}, "lb2": "no socket"}, {}, "fail", "lb2 could not be read"),
        ({"lb1": {"gpu1": {**UP, "up": "yes"}}}, {}, "inconclusive", "gpu1 on lb1 could not be understood"),
        ({"lb1": {"gpu1": None}}, {}, "inconclusive", "gpu1 on lb1 could not be understood"),
        ({}, {}, "inconclusive", "no balancer"),
    ],
)
def test_balancer_gate(seen, downs, verdict, reason):
    result = balancer_gate(seen, ["gpu1"], downs)
    assert (result.gate, result.verdict) == ("balancer", verdict)
    assert reason in result.reason
    json.dumps(result.to_dict())


def test_no_server_is_no_health():
    assert balancer_gate({"lb1": {"gpu1": UP}}, [], {}).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("new", "peers", "verdict", "reason"),
    [
        (Totals(1000, 0), Totals(3000, 0), "pass", "0 of 1000 requests failed at the new servers (0.00 %), 0 of 3000"),
        (Totals(1000, 5), Totals(3000, 10), "pass", "5 of 1000"),
        (Totals(300, 0), Totals(), "pass", "none at peers"),
        (Totals(299, 0), Totals(900, 0), "inconclusive", "300 requests are needed"),
        (Totals(), Totals(900, 0), "inconclusive", "0 of 0"),
        # Certainly above one percent, whatever the peers do, and before 300 requests came.
        (Totals(1000, 30), Totals(), "fail", "certainly more than 2.16 %, allowed are 1 %"),
        (Totals(100, 10), Totals(300, 30), "fail", "certainly more than 5.52 %"),
        (Totals(1000, 17), Totals(), "fail", "certainly more than 1.0"),
        (Totals(1000, 15), Totals(), "pass", "15 of 1000"),
        # Far worse than the peers, though one percent is not certain.
        (Totals(1000, 10), Totals(3000, 1), "fail", "0.97 percentage points more than the peers"),
        (Totals(1000, 4), Totals(100_000, 1), "pass", "4 of 1000"),  # sure, but too little to matter
        # One error alone is an accident, even where it is the whole traffic.
        (Totals(1, 1), Totals(5000, 0), "inconclusive", "1 of 1 requests failed"),
        (Totals(2, 2), Totals(5000, 0), "fail", "2 of 2 requests failed"),
        # Errors of requests that began before the window.
        (Totals(3, 5), Totals(), "fail", "5 of 5 requests failed"),
    ],
)
def test_error_gate(new, peers, verdict, reason):
    result = error_gate(new, peers, LIMITS)
    assert (result.gate, result.verdict) == ("errors", verdict)
    assert reason in result.reason
    json.dumps(result.to_dict(), allow_nan=False)


def test_errors_that_peers_have_too_are_not_the_releases():
    limits = Limits(max_error_percent=10)
    assert error_gate(Totals(1000, 50), Totals(3000, 150), limits).verdict == "pass"
    assert error_gate(Totals(1000, 50), Totals(3000, 30), limits).verdict == "fail"


@UNHURRIED
@given(COUNT, COUNT, COUNT, COUNT)
def test_more_errors_never_look_better(requests, errors, peers_requests, peers_errors):
    order = {"pass": 0, "inconclusive": 1, "fail": 2}
    peers = Totals(peers_requests, min(peers_errors, peers_requests))
    errors = min(errors, requests)
    few, many = (error_gate(Totals(requests, count), peers, LIMITS) for count in (errors // 2, errors))
    assert order[few.verdict] <= order[many.verdict]


@UNHURRIED
@given(st.integers(0, 299), COUNT, COUNT)
def test_too_few_requests_never_pass(requests, errors, peers):
    assert error_gate(Totals(requests, errors), Totals(peers), LIMITS).verdict != "pass"


@pytest.mark.parametrize(
    ("new", "peers", "verdict", "reason"),
    [
        (150.0, 140.0, "pass", "respond after 150 ms, their peers after 140 ms"),
        (450.0, 150.0, "fail", "450 ms, their peers after 150 ms: more than 1.5 times"),
        (225.0, 150.0, "pass", ""),
        (226.0, 150.0, "fail", ""),
        (25.0, 6.0, "pass", ""),  # four times as slow, but 19 ms
        (27.0, 6.0, "fail", ""),
        (5.0, 0.0, "pass", ""),
        (None, 150.0, "inconclusive", "300 requests at the new servers are too few to time"),
        (None, None, "inconclusive", "too few"),
        (450.0, None, "pass", "no peers to compare with"),
    ],
)
def test_latency_gate(new, peers, verdict, reason):
    result = latency_gate(Totals(300, response_ms=new), Totals(99, response_ms=peers), LIMITS)
    assert (result.gate, result.verdict) == ("latency", verdict)
    assert reason in result.reason


def test_a_slow_start_is_no_verdict_yet():
    result = latency_gate(Totals(299, response_ms=450.0), Totals(999, response_ms=150.0), LIMITS)
    assert result.verdict == "inconclusive"
    assert "after 299 requests, 300 are needed to judge" in result.reason


@pytest.mark.parametrize(
    ("errors", "requests", "verdict"),
    [
        (0, 0, "pass"), (10, 20, "pass"), (11, 20, "fail"), (11, 2000, "fail"), (50, 10_000, "pass"),
        (51, 10_000, "fail"), (52, 10_399, "fail"), (52, 10_400, "pass"),
    ],
)  # fmt: skip
def test_budget_gate(errors, requests, verdict):
    result = budget_gate(errors, requests, LIMITS)
    assert (result.gate, result.verdict) == ("budget", verdict)
    assert "{0} errors in {1} requests".format(errors, requests) in result.reason

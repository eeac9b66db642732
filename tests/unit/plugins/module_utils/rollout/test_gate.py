# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts, their sum, and the limits a policy may set."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.gate import (
    RANGES,
    Limits,
    as_number,
    failed,
    overall,
    passed,
    shown,
    unclear,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# How fast a loaded machine is says nothing about the code.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

GOOD, BAD, OPEN = passed("a", "fine", n=1), failed("b", "broken", n=2), unclear("c", "unknown")


@pytest.mark.parametrize(
    ("verdicts", "verdict", "reason"),
    [
        ([GOOD, GOOD], "pass", "2 gate(s) passed"),
        ([GOOD, OPEN], "inconclusive", "c: unknown"),
        ([OPEN, GOOD, BAD, failed("d", "worse")], "fail", "b: broken; d: worse"),
        ([], "inconclusive", "no gate was asked"),
    ],
)
def test_overall(verdicts, verdict, reason):
    result = overall(iter(verdicts))
    assert (result.gate, result.verdict, result.reason) == ("overall", verdict, reason)
    assert json.loads(json.dumps(result.to_dict()))["evidence"]["gates"] == [each.to_dict() for each in verdicts]


@UNHURRIED
@given(st.permutations([GOOD, BAD, OPEN]))
def test_order_hides_no_failure(verdicts):
    assert overall(verdicts).verdict == "fail"


def test_a_verdict_as_data():
    assert BAD.to_dict() == {"gate": "b", "verdict": "fail", "reason": "broken", "evidence": {"n": 2}}


def test_limits_without_a_policy():
    assert Limits.of({}) == Limits()
    assert Limits.of({"alpha": None, "bake_time": "whatever"}) == Limits()
    assert set(RANGES) == set(asdict(Limits()))


def test_limits_of_a_policy():
    limits = Limits.of({"max_error_percent": 3, "min_requests": "50", "latency_floor_ms": "5.5"})
    assert limits == Limits(max_error_percent=3.0, min_requests=50, latency_floor_ms=5.5)
    assert isinstance(limits.min_requests, int)


@pytest.mark.parametrize("key", sorted(RANGES))
def test_ends_of_a_range_are_allowed(key):
    for value in RANGES[key]:
        assert getattr(Limits.of({key: value}), key) == value


@pytest.mark.parametrize("key", sorted(RANGES))
@pytest.mark.parametrize("value", ["", "many", "1_0", True, [], {}, float("nan"), float("inf"), -1, 10**400, "9" * 99])
def test_limits_refuse(key, value):
    with pytest.raises(Refused, match=rf"^{key} is .+, but must be a (whole )?number from .+ to "):
        Limits.of({key: value})


def test_half_a_request_is_no_limit():
    with pytest.raises(Refused, match=r"min_requests is 2\.5, but must be a whole number from 0 to 1e"):
        Limits.of({"min_requests": 2.5})


@UNHURRIED
@given(st.one_of(st.none(), st.text(), st.floats(), st.integers(), st.binary(), st.lists(st.text())))
def test_foreign_values_are_harmless(value):
    number = as_number(value)
    assert number is None or abs(number) < float("inf")
    assert shown(value).isprintable()
    assert 0 < len(shown(value)) <= 120


def test_a_number_without_end_is_shown():
    assert shown(10**5000) == "something unprintable"

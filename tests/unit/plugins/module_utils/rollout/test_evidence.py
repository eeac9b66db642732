# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a window makes of readings: sums that restarts, late answers and a detour through JSON do not bend."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.evidence import Reading, Totals, Window
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# How fast a loaded machine is says nothing about the code.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

GOOD = {"worker": 7, "requests": 100, "errors": 3, "downs": 1, "response_ms": 150, "queue_ms": 0.5}
COUNTS = st.integers(0, 2000)
READINGS = st.builds(
    Reading, st.integers(1, 3), COUNTS, COUNTS, st.integers(0, 3), st.floats(0, 1e6), st.floats(0, 1e6)
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def window(*readings, balancer="lb1", server="gpu1"):
    result = Window()
    for reading in readings:
        result.add(balancer, {server: reading})
    return result


def reading(worker, requests, errors=0, downs=0, ms=100.0):
    return Reading(worker, requests, errors, downs, ms, 0.0)


def test_reading_of_what_haproxy_counts():
    assert Reading.of(GOOD) == Reading(7, 100, 3, 1, 150.0, 0.5)


@pytest.mark.parametrize("field", sorted(GOOD))
@pytest.mark.parametrize("value", [None, "", "12", True, -1, float("nan"), float("inf"), 10**400, [], {}])
def test_reading_of_garbage(field, value):
    with pytest.raises(Unreadable, match=field):
        Reading.of({**GOOD, field: value})
    with pytest.raises(Unreadable, match=f"{field} is missing"):
        Reading.of({key: value for key, value in GOOD.items() if key != field})


@pytest.mark.parametrize("field", ["worker", "requests", "errors", "downs"])
def test_half_a_request_is_no_count(field):
    with pytest.raises(Unreadable, match=field):
        Reading.of({**GOOD, field: 1.5})


@UNHURRIED
@given(JSON)
def test_reading_raises_nothing_else(found):
    try:
        Reading.of(found)
    except Unreadable:
        pass


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([], (0, 0, 0)),
        ([(1, 500, 9, 2)], (0, 0, 0)),
        ([(1, 500, 9, 2), (1, 600, 11, 2)], (100, 2, 0)),
        ([(1, 500, 9, 2), (1, 500, 9, 3)], (0, 0, 1)),
        ([(1, 500, 9, 2), (2, 40, 4, 0)], (40, 4, 0)),
        ([(1, 500, 9, 2), (1, 600, 11, 2), (2, 40, 4, 1), (2, 50, 5, 1)], (150, 7, 1)),
        ([(1, 500, 9, 0), (1, 30, 1, 0)], (30, 1, 0)),
        # Errors alone are fewer: the counters were cleared and have overtaken the old number of requests since.
        ([(1, 500, 9, 0), (1, 600, 1, 0)], (600, 1, 0)),
    ],
)
def test_sums_since_the_first_reading(readings, expected):
    totals = window(*(reading(*each) for each in readings)).totals(["gpu1"])
    assert (totals.requests, totals.errors, totals.downs) == expected


@UNHURRIED
@given(st.lists(READINGS, max_size=20), st.lists(st.integers(0, 20), max_size=4))
def test_splitting_a_series_changes_no_sum(readings, cuts):
    whole = window(*readings).totals(["gpu1"])
    edges = sorted({0, len(readings), *(min(cut, len(readings)) for cut in cuts)})
    parts = [
        window(*readings[max(0, start - 1) : end]).totals(["gpu1"])
        for start, end in zip(edges, edges[1:], strict=False)
    ]
    assert whole.requests == sum(part.requests for part in parts)
    assert whole.errors == sum(part.errors for part in parts)
    assert whole.downs == sum(part.downs for part in parts)


@UNHURRIED
@given(st.lists(READINGS, min_size=1, max_size=20))
def test_a_looser_look_at_undisturbed_counters_sees_the_same(readings):
    series = sorted((replace(each, worker=1) for each in readings), key=lambda each: each.requests)
    rising = [replace(each, errors=number, downs=number) for number, each in enumerate(series)]
    every, ends = window(*rising).totals(["gpu1"]), window(rising[0], rising[-1]).totals(["gpu1"])
    assert asdict(every) == asdict(ends)


@UNHURRIED
@given(st.lists(READINGS, max_size=20))
def test_nothing_is_ever_taken_away(readings):
    growing = Window()
    before = Totals()
    for each in readings:
        growing.add("lb1", {"gpu1": each})
        now = growing.totals(["gpu1"])
        assert now.requests >= before.requests
        assert now.errors >= before.errors
        assert now.downs >= before.downs
        assert now.response_ms is None or now.response_ms >= 0
        before = now


def test_totals_add_balancers_and_the_asked_servers_only():
    seen = Window()
    for balancer, requests in (("lb1", 100), ("lb2", 10)):
        for server in ("gpu1", "gpu2", "gpu3"):
            seen.add(balancer, {server: reading(1, 0)})
            seen.add(balancer, {server: reading(1, requests, errors=1)})
    assert seen.totals(["gpu1", "gpu2", "gpu1"]).requests == 220
    assert seen.totals({"gpu3"}).errors == 2
    assert seen.totals(["absent"]) == Totals(0, 0, 0, None)


def test_time_is_the_mean_over_requests_of_every_part():
    seen = Window()
    # A worker's first 512 requests have a plain mean: 300 of 500 ms after 100 of 100 ms take it to 400 ms.
    for each in (reading(1, 100, ms=100), reading(1, 400, ms=400)):
        seen.add("lb1", {"gpu1": each})
    assert seen.totals(["gpu1"]).response_ms == pytest.approx(500)
    # A reload: the new worker's average is all its own. 300 of 500 ms and 100 of 100 ms.
    seen.add("lb1", {"gpu1": reading(2, 60, ms=130)})
    seen.add("lb1", {"gpu1": reading(2, 100, ms=100)})
    assert seen.totals(["gpu1"]).response_ms == pytest.approx(400)
    # Too few to time: they count, but not into the mean.
    seen.add("lb2", {"gpu1": reading(1, 1000, ms=9000)})
    seen.add("lb2", {"gpu1": reading(1, 1010, ms=9000)})
    assert seen.totals(["gpu1"]) == Totals(410, 0, 0, pytest.approx(400))


def test_too_few_requests_have_no_time():
    assert window(reading(1, 5000), reading(1, 5010)).totals(["gpu1"]).response_ms is None

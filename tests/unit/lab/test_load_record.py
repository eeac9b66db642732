# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of the load client: nothing uncounted, no gap overlooked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.load_record import OK, SAMPLES, Outcome, Record, percentile

BEGAN, WALL = 1000.0, 1_700_000_000.0
FATES = st.sampled_from([OK, "http_503", "reset", "timeout", "abandoned"])


def ended(at: float, fate: str = OK, server: str | None = "gpu1", due: float = BEGAN) -> Outcome:
    return Outcome("id", fate, due, BEGAN + at, BEGAN + at, server)


def record_of(*outcomes: Outcome) -> Record:
    record = Record(BEGAN, WALL)
    for outcome in outcomes:
        record.request_sent(outcome.due, outcome.due)
        record.request_ended(outcome)
    return record


@given(st.lists(FATES), st.lists(FATES))
def test_every_request_and_every_stream_is_counted_once(requests: list[str], streams: list[str]) -> None:
    record = record_of(*(ended(1, fate) for fate in requests))
    for fate in streams:
        record.streams_started += 1
        record.stream_ended(ended(2, fate))
    result = record.result(BEGAN + 3, BEGAN + 3)
    counted = result["requests"]
    assert counted["sent"] == len(requests) == counted["ok"] + counted["failed"] == sum(counted["by_fate"].values())
    assert result["streams"]["started"] == len(streams) == result["streams"]["ok"] + result["streams"]["cut"]
    bad = sum(fate != OK for fate in requests + streams)
    assert len(result["samples"]) == min(bad, SAMPLES)


@pytest.mark.parametrize(
    ("answers", "stopped", "gap", "since"),
    [
        ([1, 2, 3], 3, 1, 0),
        ([1, 2, 4.5, 5], 5, 2.5, 2),
        ([3, 4], 5, 3, 0),
        ([1, 2], 9, 7, 2),
        ([], 6, 6, 0),
        ([1, 5], 2, 4, 1),
    ],
    ids=["even", "in the middle", "at the beginning", "to the end", "all of it", "the last answer came late"],
)
def test_gap_is_the_longest_time_without_a_good_answer(
    answers: list[float], stopped: float, gap: float, since: float
) -> None:
    result = record_of(*(ended(at) for at in answers)).result(BEGAN + stopped, BEGAN + 10)
    assert result["longest_gap_s"] == gap
    assert result["longest_gap_at"] == f"2023-11-14T22:13:{20 + since:06.3f}+00:00"


def test_a_failed_answer_does_not_end_a_gap() -> None:
    result = record_of(ended(1), ended(2, "http_503"), ended(3)).result(BEGAN + 3, BEGAN + 3)
    assert result["longest_gap_s"] == 2


def test_latency_counts_from_when_the_request_was_due() -> None:
    record = Record(BEGAN, WALL)
    record.request_sent(BEGAN, BEGAN + 0.3)
    record.request_ended(ended(0.5))
    result = record.result(BEGAN + 1, BEGAN + 1)["requests"]
    assert result["latency_ms"] == {"p50": 500.0, "p95": 500.0, "p99": 500.0, "max": 500.0}
    assert result["lag_ms"] == {"p50": 300.0, "p99": 300.0, "max": 300.0}


def test_a_server_out_of_traffic_shows_as_a_hole() -> None:
    times = [0.1, 0.2, 0.3, 2.5, 2.6]
    record = record_of(*(ended(at, server="gpu1") for at in times), ended(2.7, server="gpu2"))
    record.streams_started += 1
    record.stream_ended(Outcome("s", OK, BEGAN, BEGAN + 3, BEGAN + 1, "gpu2"))
    servers = record.result(BEGAN + 3, BEGAN + 3)["servers"]
    assert servers["gpu1"] == {
        "ok": 5,
        "per_second": [3, 0, 2],
        "active_ms": [[100, 300], [2500, 2600]],
        "streams_ms": [],
    }
    assert servers["gpu2"]["streams_ms"] == [[1000, 3000]]


def test_percentile_is_the_nearest_rank() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, percent) for percent in (1, 50, 99, 100)] == [1, 50, 99, 100]
    assert percentile([7.0], 50) == 7
    assert percentile([], 50) is None

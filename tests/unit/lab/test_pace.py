# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load of a story fits the machine: measured, never above what was planned."""

from __future__ import annotations

import pytest

from tests.lab import pace
from tests.lab.load_loop import Plan


def result(ok: int, **last: int) -> dict[str, object]:
    servers = {name: {"active_ms": [[0, 10], [400, ms]] if ms else []} for name, ms in last.items()}
    return {"requests": {"ok": ok}, "servers": servers}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (result(600, gpu1=3000, gpu2=2900), 200.0),
        # Sent in three seconds, answered in ten.
        (result(750, gpu1=10000, gpu2=9000, gpu3=0), 75.0),
        (result(0, gpu1=0), 0.0),
        (result(0), 0.0),
    ],
)
def test_capacity_counts_until_the_last_answer(found, expected):
    assert pace.answered(found) == expected


@pytest.mark.parametrize(("capacity", "rate"), [(1000.0, 100.0), (250.0, 100.0), (80.0, 32.0), (0.0, 1.0)])
def test_no_more_is_sent_than_planned_or_bearable(monkeypatch, capacity, rate):
    monkeypatch.setattr(pace, "capacity", lambda _url, _model: capacity)
    assert pace.bearable(Plan("http://192.0.2.1", "x", rate=100.0)).rate == rate

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The balancer gate's verdicts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.haproxy.records import Counters, Server
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.gate import judge

GOOD = Server(
    backend="serving",
    name="gpu1",
    address="192.0.2.1:8000",
    admin=0,
    weight=100,
    initial_weight=100,
    status="UP",
    check_status="L7OK",
    check_health=4,
    check_rise=2,
    check_fall=3,
    sessions=1,
    queue=0,
    last_change=9,
    check_downs=0,
    total=0,
    responses_5xx=0,
    connect_errors=0,
    response_errors=0,
)
BEFORE = Counters(worker=1, requests=100, errors=10, downs=0)


@pytest.mark.parametrize(
    ("server", "now", "verdict", "reason"),
    [
        (GOOD, Counters(1, 500, 12, 0), "pass", ""),
        (GOOD, Counters(1, 100, 10, 0), "pass", ""),
        (GOOD, Counters(1, 500, 20, 0), "fail", "10 of 400 requests with errors"),
        (GOOD, Counters(1, 500, 10, 1), "fail", "went DOWN 1"),
        (GOOD, Counters(2, 50, 5, 0), "fail", "5 of 50"),
        (replace(GOOD, status="DOWN"), Counters(1, 500, 10, 0), "fail", "gpu1 is DOWN"),
        (replace(GOOD, admin=8, status="DRAIN"), Counters(1, 500, 10, 0), "fail", "gpu1 is DRAIN"),
        (replace(GOOD, status="UP 1/2", check_health=3), Counters(1, 500, 10, 0), "fail", "gpu1 is UP 1/2"),
    ],
)
def test_judge(server, now, verdict, reason):
    result = judge({"gpu1": server}, {"gpu1": now}, {"gpu1": BEFORE}, max_error_percent=1.0)
    assert result.verdict == verdict
    assert reason in "; ".join(result.reasons)
    assert result.evidence["gpu1"]["requests"] >= 0

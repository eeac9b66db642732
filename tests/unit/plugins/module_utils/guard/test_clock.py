# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard's own time: it ends late, never early."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.clock import GuardClock, Now, iso, parse_time
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.lease import Moment
from hypothesis import given
from hypothesis import strategies as st

CLOCK = GuardClock(seconds=100.0, wall=5000.0, uptime=40.0, boot="a")


@pytest.mark.parametrize(
    ("wall", "uptime", "boot", "seconds"),
    [
        (5010, 50, "a", 110),
        (9e9, 50, "a", 110),
        (0, 50, "a", 110),
        (5000, 30, "a", 100),
        (5100, 60, "b", 160),
        (5030, 60, "b", 130),
        (4000, 60, "b", 100),
        (9e9, 60, "b", 160),
    ],
)
def test_only_what_surely_passed_counts(wall, uptime, boot, seconds):
    now = Now(wall, Moment(uptime, boot))
    assert CLOCK.at(now) == seconds
    assert CLOCK.advanced(now) == GuardClock(seconds, wall, uptime, boot)


@given(st.lists(st.tuples(st.floats(0, 4000), st.booleans(), st.floats(-1e5, 1e5), st.booleans()), max_size=20))
def test_never_more_than_passed_and_never_back(steps):
    """Whatever is rebooted, and however the wall clock jumps."""
    true, booted, boots, error, clock = 0.0, -100.0, 0, 0.0, GuardClock()
    first = None
    for seconds, reboot, jump, write in steps:
        true += seconds
        error += jump
        if reboot:
            booted, boots = true, boots + 1
        now = Now(1e6 + true + error, Moment(true - booted, f"boot{boots}"))
        at = clock.at(now)
        assert at >= clock.seconds
        if first:
            assert at - first[1] <= true - first[0] + 1e-6
        if write:
            clock = clock.advanced(now)
            first = first or (true, clock.seconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-02T00:00:00.5Z", 86400.5),
        ("2026-03-02T09:00:00.123456789Z", 1772442000.123456789),
        ("2026-03-02T10:00:00+01:00", 1772442000),
        ("2026-03-02T08:30:00-00:30", 1772442000),
        ("1970-01-01T00:00:60Z", 60),
    ],
)
def test_times_of_alerts(text, seconds):
    assert parse_time(text) == pytest.approx(seconds)
    assert iso(1772442000) == "2026-03-02T09:00:00+00:00"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-03-02",
        "2026-13-02T09:00:00Z",
        "2026-03-02T25:00:00Z",
        "2026-03-02T09:00:61Z",
        "٢٠٢٦-03-02T09:00:00Z",
    ],
)
def test_what_is_no_time(text):
    with pytest.raises(ValueError, match=r".+"):
        parse_time(text)

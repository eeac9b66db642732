# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A slope that outliers do not turn, and a time that is told only when there is a trend."""

from __future__ import annotations

import math
import random

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.trend import Trend, fit, seconds_to
from hypothesis import given
from hypothesis import strategies as st


@given(st.floats(-5, 5), st.floats(-100, 100))
def test_a_line_is_found(slope, start):
    trend = fit([(at, start + slope * at) for at in range(0, 600, 60)])
    assert trend is not None
    assert trend.slope == pytest.approx(slope, abs=1e-6)
    assert trend.now == pytest.approx(start + slope * 540, abs=1e-5)


def test_outliers_do_not_turn_it():
    samples = [(float(at), 10 + 0.1 * at) for at in range(0, 3600, 60)]
    for place in (3, 17, 40):
        samples[place] = (samples[place][0], 1e6)
    trend = fit(samples)
    assert trend is not None
    assert trend.slope == pytest.approx(0.1, rel=0.05)


def test_noise_has_no_trend():
    chance = random.Random(1)
    trend = fit([(float(at), chance.gauss(50, 5)) for at in range(72)])
    assert seconds_to(1000, trend) == math.inf


def test_a_disk_that_fills():
    # One percent an hour, at 90 %: ten hours to go.
    trend = fit([(at * 300.0, 0.84 + at * 300 * 0.01 / 3600) for at in range(73)])
    assert trend is not None
    assert seconds_to(1.0, trend) == pytest.approx(10 * 3600, rel=0.01)
    assert seconds_to(0.0, trend) == math.inf


@pytest.mark.parametrize("samples", [[], [(0.0, 1.0)] * 7, [(0.0, 1.0)] * 20, [(float(at), None) for at in range(20)]])
def test_too_little_is_no_trend(samples):
    assert fit(samples) is None
    assert seconds_to(1.0, None) == math.inf


def test_a_flat_line_reaches_nothing():
    assert seconds_to(5.0, Trend(0.0, 1.0, 9.0)) == math.inf

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of redundancy, with the article's case and what it leaves out."""

from __future__ import annotations

import itertools
import math

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.redundancy import (
    measured,
    relative_response_time,
    survival,
    survival_of,
    utilization,
)
from hypothesis import given
from hypothesis import strategies as st

SHARES = st.floats(0, 1)


def test_the_articles_case() -> None:
    """Ten components, each up 90 % of the time."""
    share = utilization(9, 10)
    assert share == 0.9
    assert relative_response_time(share) == pytest.approx(1.11, abs=0.002)
    assert survival(9, 10, 0.9) == pytest.approx(0.736, abs=0.0002)


def test_two_of_three() -> None:
    """3 a^2 (1 - a) + a^3, by hand."""
    assert survival(2, 3, 0.99) == pytest.approx(3 * 0.99**2 * 0.01 + 0.99**3)


@pytest.mark.parametrize(
    ("required", "count", "availability", "expected"),
    [(0, 0, 0.5, 1.0), (1, 0, 0.5, 0.0), (4, 3, 0.99, 0.0), (0, 3, 0.0, 1.0), (3, 3, 1.0, 1.0), (1, 3, 0.0, 0.0)],
)
def test_the_ends(required: int, count: int, availability: float, expected: float) -> None:
    assert survival(required, count, availability) == expected
    assert survival_of(required, [availability] * count) == expected


@given(st.lists(SHARES, max_size=8), st.integers(0, 9))
def test_components_that_differ(availabilities: list[float], required: int) -> None:
    """Every way in which components can be up and down, counted one by one."""
    expected = math.fsum(
        math.prod(each if up else 1 - each for each, up in zip(availabilities, ups, strict=True))
        for ups in itertools.product((True, False), repeat=len(availabilities))
        if sum(ups) >= required
    )
    assert survival_of(required, availabilities) == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 200), st.integers(0, 200), SHARES)
def test_components_that_are_alike(required: int, count: int, availability: float) -> None:
    found = survival(required, count, availability)
    assert 0 <= found <= 1
    assert found == pytest.approx(survival_of(required, [availability] * count), abs=1e-9)
    assert survival(required + 1, count, availability) <= found + 1e-12


def test_nothing_up_takes_for_ever() -> None:
    assert relative_response_time(utilization(0, 3)) == math.inf


@pytest.mark.parametrize(("downtime", "expected"), [(0, 1.0), (864, 0.99), (86400, 0.0), (86401, 0.0), (-1, 1.0)])
def test_measured_share(downtime: float, expected: float) -> None:
    assert measured(downtime, 86400) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: utilization(1, 0),
        lambda: utilization(4, 3),
        lambda: utilization(-1, 3),
        lambda: relative_response_time(1.1),
        lambda: survival(1, 2, 1.1),
        lambda: survival_of(1, [0.5, -0.1]),
        lambda: survival_of(1, [math.nan]),
        lambda: measured(1, 0),
    ],
)
def test_what_cannot_be_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match=r"cannot be up|is no share|is no availability|a window of"):
        wrong()

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cache gives up, and what it never does."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage.eviction import (
    Budget,
    evictions,
    parse_order,
    used,
)
from hypothesis import given
from hypothesis import strategies as st

HELD = {"a/1": 10, "b/1": 20, "c/1": 30}
NAMES = st.sampled_from([f"{name}/{version}" for name in "abcd" for version in "12"])


@pytest.mark.parametrize(
    ("new", "kept", "limit", "free", "gone"),
    [
        (10, (), 100, 1000, []),
        (40, (), 100, 1000, []),
        (41, (), 100, 1000, ["c/1"]),
        (80, (), 100, 1000, ["c/1", "a/1"]),
        (80, ("c/1",), 115, 1000, ["a/1", "b/1"]),
        # The limit leaves room, the disk does not.
        (10, (), 100, 12, ["c/1"]),
    ],
)
def test_the_least_recently_used_goes_first(new, kept, limit, free, gone):
    assert evictions(HELD, ["c/1", "a/1", "b/1"], new, kept, Budget(limit, free, 5)) == gone


def test_what_was_never_used_goes_before_what_was():
    assert evictions(HELD, ["a/1"], 60, (), Budget(100, 1000, 0)) == ["b/1"]


def test_a_cache_that_must_keep_too_much_says_so():
    with pytest.raises(Refused, match=r"are kept \(a/1, b/1\).*Raise its limit"):
        evictions(HELD, [], 80, ("a/1", "b/1", "x/9"), Budget(100, 1000, 0))


@given(
    st.dictionaries(NAMES, st.integers(0, 50)), st.lists(NAMES), st.integers(0, 80), st.frozensets(NAMES),
    st.integers(0, 200), st.integers(0, 200), st.integers(0, 20),
)  # fmt: skip
def test_it_never_gives_up_what_it_keeps_nor_crosses_its_limits(held, order, new, kept, limit, free, spare):
    budget = Budget(limit, free, spare)
    every = [held[name] for name in held if name not in kept]
    try:
        gone = evictions(held, order, new, kept, budget)
    except Refused:
        assert sum(held.values()) - sum(every) + new > limit or free + sum(every) - new < spare
        return
    assert not set(gone) & kept
    freed = sum(held[name] for name in gone)
    assert sum(held.values()) - freed + new <= limit
    assert free + freed - new >= spare
    # Nothing is given up in vain.
    if gone:
        less = freed - held[gone[-1]]
        assert sum(held.values()) - less + new > limit or free + less - new < spare


def test_a_use_comes_last_and_once():
    assert used(["a/1", "b/1"], "a/1") == ["b/1", "a/1"]
    assert used([], "a/1") == ["a/1"]


@pytest.mark.parametrize(
    ("text", "order"), [('["a/1"]', ["a/1"]), ("", []), ("{}", []), ("[1, null]", []), ("[" * 9999, [])]
)
def test_an_order_that_cannot_be_read_is_none(text, order):
    assert parse_order(text) == order

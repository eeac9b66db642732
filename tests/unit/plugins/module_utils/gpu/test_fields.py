# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not known is None with its reason: never zero, never no."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.fields import Reader
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.tree import parse

TROUBLES = ["[Unknown Error]", "GPU requires reset", "[GPU is lost]", "Function Not Found", "ERR!", "Unknown"]
ABSENCES = ["N/A", "[N/A]", "Not Supported", "[Not Supported]", "Requested functionality has been deprecated"]


def reader(value: str) -> Reader:
    return Reader(parse(f"<gpu><a><b>{value}</b></a></gpu>")[0])


@pytest.mark.parametrize("value", [*TROUBLES, *ABSENCES, "", " "])
@pytest.mark.parametrize("read", ["text", "number", "count", "flag"])
def test_no_value_is_none_with_a_reason(read, value):
    one = reader(value)
    assert getattr(one, read)("field", "a/b") is None
    assert one.unknown["field"] in ({"not applicable"} if value in ABSENCES else {"empty", value.strip("[]")})


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0", 0.0),
        ("27 C", 27.0),
        ("16x", 16.0),
        ("25.58 W", 25.58),
        ("1066699 KB/s", 1066699.0),
        ("192 bank(s)", 192.0),
    ],
)
def test_numbers_lose_their_unit(value, number):
    assert reader(value).number("field", "a/b") == number


@pytest.mark.parametrize(
    "value", ["-1", "9223372036854775794", "nan", "inf", "1e5", "12 13", "x16", "0x10", "1,5", "\u0661"]
)
def test_what_is_no_such_number_is_not_one(value):
    one = reader(value)
    assert one.number("field", "a/b") is None
    assert "number" in one.unknown["field"]


def test_a_count_is_whole():
    assert reader("3").count("field", "a/b") == 3
    assert reader("3.5").count("field", "a/b") is None


@pytest.mark.parametrize(("value", "flag"), [("Yes", True), ("No", False), ("Enabled", True), ("Not Active", False)])
def test_flags(value, flag):
    assert reader(value).flag("field", "a/b") is flag


def test_other_words_are_neither_yes_nor_no():
    one = reader("Perhaps")
    assert one.flag("field", "a/b") is None
    assert "neither" in one.unknown["field"]


def test_the_whole_speaks_for_its_parts_only_when_it_has_none():
    one = Reader(parse("<gpu><rows>N/A</rows><heat>27 C</heat><more><x>1</x></more></gpu>")[0])
    for field, path, reason in (
        ("rows", "rows/pending", "not applicable"),
        ("heat", "heat/gpu", "missing"),
        ("more", "more", "missing"),
        ("none", "none/at/all", "missing"),
    ):
        assert one.text(field, path) is None
        assert one.unknown[field] == reason


def test_an_older_name_is_read_and_a_sum_wants_all_its_parts():
    one = Reader(parse("<gpu><new>N/A</new><old>5</old><p>1</p><q>2</q></gpu>")[0])
    assert one.count("field", "new", "old") == 5
    assert one.unknown == {}
    assert one.total("sum", "p", "q") == 3
    assert one.total("sum", "p", "absent") is None

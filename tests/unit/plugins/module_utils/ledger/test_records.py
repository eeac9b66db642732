# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal's lines: what comes back, what a crash leaves, what is damage."""

from __future__ import annotations

import json
import zlib

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.records import (
    Record,
    parse_line,
    parse_log,
    tip,
)
from hypothesis import given, settings
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.lists(st.tuples(st.text(max_size=8), st.dictionaries(st.text(max_size=6), JSON, max_size=3)), max_size=6)


def record(seq=1, fence=1, run="run1", event="draining", **data):
    return Record(seq, fence, run, event, "2026-01-01T00:00:00+00:00", data)


def log(*records):
    return "".join(each.line() + "\n" for each in records)


def signed(body):
    """A line whose checksum is right, whatever is in it."""
    return f"{zlib.crc32(body.encode()):08x} {body}"


@settings(max_examples=60, deadline=None)
@given(RECORDS)
def test_what_was_written_is_read(found):
    records = [record(seq, event=event, **{}) for seq, (event, _data) in enumerate(found, 1)]
    records = [Record(r.seq, r.fence, r.run, r.event, r.at, data) for r, (_event, data) in zip(records, found)]
    assert parse_log(log(*records)) == (records, False)
    assert all("\n" not in each.line() for each in records)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.data())
def test_a_write_that_was_cut_loses_its_own_record_and_no_other(count, data):
    text = log(*(record(seq) for seq in range(1, count + 1)))
    begin = text.rfind("\n", 0, -1) + 1
    cut = data.draw(st.integers(begin, len(text) - 1))
    records, torn = parse_log(text[:cut])
    assert [each.seq for each in records] == list(range(1, count))
    assert torn is (cut > begin)


def test_a_last_line_that_is_whole_and_wrong_is_torn_too():
    assert parse_log(log(record(1)) + "0000 half\n") == ([record(1)], True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rubbish\n" + log(record(1)), "line 1 of the journal: a record's checksum is wrong"),
        (log(record(1), record(3), record(4)), "line 2 of the journal: record 3 follows record 1"),
        (log(record(1)) + "x\n" + log(record(2)), "line 2"),
        (log(record(1)) + "x\n" + "torn too", "line 2"),
    ],
)
def test_damage_before_the_last_line_is_never_guessed_at(text, message):
    with pytest.raises(Unreadable, match=message):
        parse_log(text)


def test_one_changed_letter_is_noticed():
    line = record(note="two hours").line()
    with pytest.raises(Unreadable, match="checksum"):
        parse_line(line.replace("two", "ten"))


@pytest.mark.parametrize(
    "body",
    [
        "[]", "{}", "no json", '{"seq": 1}',
        json.dumps({"seq": "1", "fence": 1, "run": "r", "event": "e", "at": "", "data": {}}),
        json.dumps({"seq": 1, "fence": 1, "run": "r", "event": "e", "at": "", "data": []}),
        json.dumps({"seq": 1, "fence": 1, "run": None, "event": "e", "at": "", "data": {}}),
        json.dumps({"seq": 1, "fence": 1, "run": "r", "event": "e", "at": "", "data": {}, "more": 1}),
    ],
)  # fmt: skip
def test_a_right_checksum_is_not_enough(body):
    with pytest.raises(Unreadable, match="cannot be understood"):
        parse_line(signed(body))


@settings(max_examples=100, deadline=None)
@given(st.text() | st.text().map(signed))
def test_garbage_raises_only_our_errors(text):
    for parse in (parse_line, parse_log):
        try:
            parse(text)
        except PlatformError:
            pass


def test_the_newer_journal_has_the_greater_tip():
    assert tip([]) == (0, 0)
    assert tip([record(1), record(2)]) > tip([record(1)])
    assert tip([record(1), record(2, fence=2)]) > tip([record(1), record(2), record(3)])

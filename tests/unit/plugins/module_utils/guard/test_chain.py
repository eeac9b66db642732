# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chain: what was written cannot be changed, taken out or moved without a trace."""

from __future__ import annotations

import json
import zlib

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.chain import (
    SNAPSHOT,
    Head,
    broken,
    head_of,
    link,
    read_head,
    shorter,
    verify,
    written_at,
)
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.clock import Now
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.lease import Moment
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.records import Record
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = Now(1772442000.0, Moment(77.5, "boot1"))


def log(count, event="paused"):
    records = []
    for number in range(count):
        records.append(link(head_of(records), event, {"by": "alice", "reason": f"reason {number}"}, NOW))
    return records


def text(records):
    return "".join(record.line() + "\n" for record in records)


def resealed(record, **change):
    """A record that somebody edited, with a checksum that is right again."""
    return Record(**{**vars(record), **change})


def test_what_was_written_holds():
    records = log(5)
    assert [record.seq for record in records] == [1, 2, 3, 4, 5]
    assert written_at(records[3]) == NOW
    assert verify(text(records)) == []
    assert verify(text(records), head_of(records), head_of(records[:2])) == []
    assert verify("") == []


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 6), st.data())
def test_any_edit_removal_or_exchange_before_the_end_is_found(count, data):
    records = log(count)
    place = data.draw(st.integers(0, count - 2))
    kind = data.draw(st.sampled_from(["edit", "remove", "renumber", "exchange", "clock", "repeat"]))
    if kind == "edit":
        records[place] = resealed(records[place], data={**records[place].data, "reason": "another"})
    elif kind == "clock":
        records[place] = resealed(records[place], at="2020-01-01T00:00:00+00:00")
    elif kind == "exchange":
        one, other = records[place], records[place + 1]
        records[place], records[place + 1] = resealed(other, seq=one.seq), resealed(one, seq=other.seq)
    elif kind == "repeat":
        records.insert(place, records[place])
    else:
        del records[place]
        if kind == "renumber":
            records = [resealed(record, seq=number) for number, record in enumerate(records, 1)]
    assert verify(text(records)) != []


def test_a_log_written_anew_is_found_by_a_head_known_elsewhere():
    records, forged = log(5), log(5, "resumed")
    assert verify(text(forged)) == []
    assert verify(text(forged), head_of(records)) == ["record 5 is not the one that was"]
    assert verify(text(forged), head_of(records[:3])) == ["record 3 is not the one that was"]


@pytest.mark.parametrize("left", range(5))
def test_an_end_that_was_cut_off_is_found_by_a_head_known_elsewhere(left):
    records = log(5)
    assert verify(text(records[:left])) == []
    found = verify(text(records[:left]), head_of(records))
    assert found == [f"the log ends at record {left}, but had record 5: its end was cut off"]


def test_damage_and_crashes():
    records = log(3)
    whole = text(records)
    assert verify(whole[:-1]) == ["the last record is torn or damaged"]
    assert verify(whole[:-9]) == ["the last record is torn or damaged"]
    assert "line 2" in verify(whole.replace("reason 1", "reason 7"))[0]


def test_another_form_of_the_same_words_is_found():
    body = json.dumps(json.loads(text(log(1)).partition(" ")[2]))
    line = f"{zlib.crc32(body.encode()):08x} {body}\n"
    assert verify(line) == ["the records say what they said, but are not the lines that were written"]


def test_a_log_goes_on_after_a_snapshot():
    before = log(4)
    after = [link(head_of(before), SNAPSHOT, {"state": {}}, NOW)]
    after.append(link(head_of(after), "paused", {}, NOW))
    assert verify(text(after)) == []
    assert broken(before[2:]) == "the log begins at record 3, which is no snapshot of those before it"
    assert shorter(after, head_of(before)) == ""
    assert shorter(after, Head(4, "0" * 64)) == "record 4 is not the one that was"
    assert shorter(after, Head(3, "0" * 64)) == ""
    assert verify(text([*before, *after]), head_of(before[:2])) == []


def test_a_first_record_follows_nothing():
    assert "follows something" in broken([link(Head(0, "f" * 64), "paused", {}, NOW)])


def test_a_head_as_text():
    head = head_of(log(2))
    assert read_head(f"{head}\n") == head
    assert read_head(str(Head())) == Head()
    for wrong in ("", "x", "1:", "1:abc", ":" + "f" * 64, "-1:" + "f" * 64):
        with pytest.raises(Unreadable, match="no head of a log"):
            read_head(wrong)


@pytest.mark.parametrize("data", [{}, {"clock": {}}, {"clock": {"wall": "x", "uptime": 1, "boot": ""}}, {"clock": 7}])
def test_a_record_without_its_time(data):
    with pytest.raises(PlatformError, match="record 1 does not say when"):
        written_at(Record(1, 0, "", "paused", "", data))

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server at a time, by the journal, and none while another copy is not whole."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.records import Record
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.maintenance import (
    Work,
    objection,
    open_work,
)
from hypothesis import given
from hypothesis import strategies as st

OWN, OTHER = "192.0.2.43", "192.0.2.42"
OPEN = Work("store3", "upgrade", "ci", "now")


def record(seq, event, server="store3"):
    data = {"server": server, "kind": "upgrade", "owner": "ci"}
    return Record(seq, 1, "run", event, "now", data)


def finding(kind, where):
    return {"kind": kind, "where": where, "text": f"{kind} at {where}"}


def test_what_was_begun_is_open_until_it_is_ended():
    assert open_work([]) is None
    assert open_work([record(1, "work_began")]) == OPEN
    assert open_work([record(1, "work_began"), record(2, "work_ended")]) is None
    assert open_work([record(1, "work_began"), record(2, "node_drained")]) == OPEN


@pytest.mark.parametrize(
    ("kind", "open_now", "findings", "refused"),
    [
        ("upgrade", None, [], ""),
        ("upgrade", None, [finding("brick offline", OTHER + ":/srv/brick")], "another copy is not whole"),
        ("upgrade", None, [finding("heal pending", "store")], "another copy is not whole"),
        # What its own absence does, once the work has begun.
        ("upgrade", OPEN, [finding("peer gone", OWN), finding("brick offline", OWN + ":/srv/brick")], ""),
        ("upgrade", OPEN, [finding("heal unknown", "store")], ""),
        ("upgrade", OPEN, [finding("brick offline", OTHER + ":/srv/brick")], "another copy is not whole"),
        # An address that begins like another is not that one.
        ("upgrade", OPEN, [finding("peer gone", OWN + "0")], "another copy is not whole"),
        ("replace", None, [finding("peer gone", OWN)], ""),
        ("replace", OPEN, [], "open upgrade of store3, begun by ci"),
        ("upgrade", Work("store1", "upgrade", "ci", "now"), [], "open upgrade of store1"),
    ],
)
def test_who_may_begin(kind, open_now, findings, refused):
    said = objection("store3", kind, open_now, findings, OWN)
    assert refused in said
    assert bool(said) is bool(refused)


@given(
    st.sampled_from(["upgrade", "replace"]),
    st.booleans(),
    st.sampled_from(["split brain", "quorum lost", "volume missing", "volume stopped", "space low"]),
)
def test_what_is_wrong_with_the_whole_is_never_excused(kind, resumed, wrong):
    open_now = Work("store3", kind, "ci", "now") if resumed else None
    assert objection("store3", kind, open_now, [finding(wrong, "store")], OWN)

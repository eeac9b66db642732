# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table is whole: no code twice, no word that nobody reads."""

from __future__ import annotations

from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.policy import (
    BY_PERSON,
    CATALOG,
    REPAIRS,
    TIERS,
)
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.xid_policy import (
    MONITORED,
    SXID_FATAL,
    SXID_POTENTIALLY_FATAL,
    SXID_REBOOT,
    SXID_WARNING,
    TABLE,
    XIDS,
)


def test_every_code_of_the_driver_has_one_place():
    assert len(XIDS) == len(TABLE.strip().splitlines()) == 142
    assert not MONITORED & set(XIDS)
    assert MONITORED | set(XIDS) == set(range(1, 177))


def test_every_word_is_read():
    for row in XIDS.values():
        assert not row.nvidia or row.nvidia in CATALOG or row.nvidia in BY_PERSON
        assert {word for word in row.gpud.partition(": ")[2].split(", ") if word} <= set(REPAIRS)
        assert row.gpud.partition(": ")[0] in {"", "Info", "Warning", "Fatal"}
        assert not row.aws or row.aws in {"parse text", "RESET if UVM"} or row.aws.strip("*").split("(")[0] in TIERS
        assert set(row.others.split()) <= {"EKS", "Azure", "plugin"}


def test_sxids_have_one_class_each():
    classes = [SXID_FATAL, SXID_POTENTIALLY_FATAL, SXID_REBOOT, SXID_WARNING]
    assert [len(each) for each in classes] == [20, 40, 3, 29]
    assert len(frozenset().union(*classes)) == 92

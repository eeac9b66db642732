# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repeats are one incident; a loss that is told twice is one; what followed from another error says so."""

from __future__ import annotations

import random

from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.incidents import fold
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.kernel_log import Event

BOOT = "b" * 32
A, B, C = "0000:41:00.0", "0000:42:00.0", "0000:43:00.0"


def xid(code: int, at: float, bus: str = A, boot: str = BOOT, kind: str = "xid", text: str = "") -> Event:
    return Event(at, boot, bus, kind, code, text)


def test_repeats_are_counted():
    events = [xid(31, at, text=str(at)) for at in (5.0, 1.0, 3.0)]
    (one,) = fold(events)
    assert (one.count, one.first, one.last, one.text) == (3, 1.0, 5.0, "5.0")


def test_another_gpu_code_or_boot_is_another_incident():
    assert len(fold([xid(31, 1), xid(31, 1, B), xid(43, 1), xid(31, 1, boot="c" * 32)])) == 4


def test_a_loss_without_an_xid_is_a_79_and_told_once():
    assert [(one.kind, one.code) for one in fold([xid(79, 1, kind="gone")])] == [("xid", 79)]
    (one,) = fold([xid(79, 100), xid(79, 130, kind="gone")])
    assert one.count == 1
    (one,) = fold([xid(79, 100), xid(79, 1000, kind="gone")])
    assert one.count == 2
    assert len(fold([xid(79, 100), xid(79, 130, B, kind="gone")])) == 2


def test_the_same_on_many_gpus_after_another_error_follows_it():
    events = [xid(48, 100), *(xid(45, 100.5 + n / 10, bus) for n, bus in enumerate((A, B, C)))]
    found = {(one.code, one.bus): one.follows for one in fold(events)}
    assert found == {(48, A): "", (45, A): "48 on " + A, (45, B): "48 on " + A, (45, C): "48 on " + A}


def test_without_a_cause_or_company_nothing_follows():
    assert not any(one.follows for one in fold([xid(45, 100), xid(45, 100, B)]))
    assert not any(one.follows for one in fold([xid(48, 100), xid(45, 101)]))
    assert not any(one.follows for one in fold([xid(48, 10), xid(95, 100), xid(95, 100, B)]))


def test_removed_channels_are_nobodys_cause():
    assert not any(one.follows for one in fold([xid(45, 99), xid(95, 100), xid(95, 100, B)]))


def test_the_order_of_events_is_of_no_matter():
    events = [xid(code, at, bus) for code in (31, 45, 48, 79) for at in (1.0, 2.0, 400.0) for bus in (A, B)]
    expected = fold(events)
    for seed in range(5):
        shuffled = events + events[:3]
        random.Random(seed).shuffle(shuffled)
        assert fold(shuffled) == expected

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of the kernel's log. Lines of the driver are believed, and nobody else's."""

from __future__ import annotations

import json

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu import kernel_log
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.kernel_log import from_dmesg, from_journal
from hypothesis import given, settings
from hypothesis import strategies as st

BOOT = "b" * 32


def entry(message, at: float = 100.0, boot: str = BOOT) -> str:
    return json.dumps({"__REALTIME_TIMESTAMP": str(int(at * 1e6)), "_BOOT_ID": boot, "MESSAGE": message})


def one(line: str):
    found = from_journal(entry(line))
    assert len(found) == 1, line
    return found[0]


@pytest.mark.parametrize(
    ("line", "code", "bus", "pid", "process"),
    [
        ("NVRM: Xid (PCI:0000:04:00): 79, pid=12, name=vllm, GPU has fallen off.", 79, "0000:04:00.0", 12, "vllm"),
        ("NVRM: Xid (PCI:0000:04:00): 79, pid='<unknown>', name=<unknown>, GPU has", 79, "0000:04:00.0", None, ""),
        ("NVRM: Xid (PCI:0000:04:00): 48, DBE at partition 3", 48, "0000:04:00.0", None, ""),
        ("NVRM: Xid (0000:04:00): 13, Graphics Exception", 13, "0000:04:00.0", None, ""),
        ("NVRM: Xid (PCI:0000:B3:00.0): 31, pid=7", 31, "0000:b3:00.0", 7, ""),
        ("NVRM: Xid (PCI:0010:01:00): 999", 999, "0010:01:00.0", None, ""),
    ],
)  # fmt: skip
def test_xids(line, code, bus, pid, process):
    event = one(line)
    assert (event.kind, event.code, event.bus, event.pid, event.process) == ("xid", code, bus, pid, process)
    assert (event.at, event.boot) == (100.0, BOOT)


def test_fatal_is_said_in_the_line():
    line = "NVRM: Xid (PCI:0018:01:00): 145, RLW_REMAP {0} XC0 i0 Link 00 (0x00000004 0x80000000)"
    assert one(line.format("Fatal")).fatal
    assert not one(line.format("Nonfatal")).fatal


def test_sxids():
    event = one("nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 24007, Fatal, Link 46 sourcetrack timeout error (First)")
    assert (event.kind, event.code, event.bus, event.fatal) == ("sxid", 24007, "0000:c1:00.0", True)
    assert not one("nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 20009, Non-fatal, Link 28 RX").fatal


@pytest.mark.parametrize(
    "lines",
    [
        ["NVRM: GPU 0000:b3:00.0: GPU has fallen off the bus."],
        ["NVRM: GPU at 0000:b3:00.0 has fallen off the bus."],
        [
            "NVRM: The NVIDIA GPU 0000:b3:00.0 (PCI ID: 10de:26b5)",
            "NVRM: installed in this system has fallen off the bus and",
        ],
        [
            "NVRM: The NVIDIA GPU 0000:b3:00.0\n               NVRM: (PCI ID: 10de:26b5) installed in this system has\n"
            "               NVRM: fallen off the bus and is not responding to commands."
        ],
    ],
)
def test_a_gpu_that_fell_off_the_bus_without_an_xid(lines):
    found = from_journal("\n".join(map(entry, lines)))
    assert [(event.kind, event.code, event.bus) for event in found] == [("gone", 79, "0000:b3:00.0")]


def test_another_failure_of_the_probe_is_no_loss():
    lines = ["NVRM: The NVIDIA GPU 0000:b3:00.0 (PCI ID: 10de:26b5)", "NVRM: installed in this system is not supported"]
    lines += ["x"] * 5 + ["NVRM: fallen off the bus"]
    assert from_journal("\n".join(map(entry, lines))) == []


@pytest.mark.parametrize(
    "line",
    [
        'audit: comm="NVRM: Xid (PCI:0000:04:00): 79, pid=1"',
        "vllm[12]: segfault NVRM: Xid (PCI:0000:04:00): 79, GPU has fallen off the bus",
        "usb 1-1: Product: NVRM: Xid (PCI:0000:04:00): 79, x",
        "NVRM: loading NVIDIA UNIX x86_64 Kernel Module  580.105.08",
        "NVRM: Xid (PCI:zzzz:04:00): 79, x",
        "NVRM: Xid (PCI:0000:04:00): , x",
        "NVRM: Xid (PCI:0000:04:00): 123456789, x",
        "",
    ],
)
def test_others_cannot_name_a_gpu(line):
    assert from_journal(entry(line)) == []


def test_what_a_process_is_called_changes_nothing():
    event = one("NVRM: Xid (PCI:0000:04:00): 31, pid=9, name=): 79, pid=1, name=x Fatality, MMU Fault")
    assert (event.code, event.pid, event.fatal) == (31, 9, False)


def test_messages_of_bytes_and_without_text():
    line = "NVRM: Xid (PCI:0000:04:00): 31, pid=9, name=\u00ff"
    assert one(list(line.encode())).code == 31
    assert from_journal("\n".join([entry(None), entry(7), entry(["x"]), entry([300])])) == []


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "7", '"x"', "null", '{"MESSAGE": "x"}', '{"__REALTIME_TIMESTAMP": "x", "_BOOT_ID": "b"}', "[" * 100000],
)
def test_a_journal_that_is_not_understood_is_an_error(text):
    with pytest.raises(Unreadable, match="entry 2"):
        from_journal(entry("x") + "\n" + text)


def test_size_is_bounded(monkeypatch):
    monkeypatch.setattr(kernel_log, "MAX_LINES", 3)
    with pytest.raises(Unreadable, match="more than 3"):
        from_journal("\n".join([entry("x")] * 4))


def test_order_is_that_of_time():
    lines = [entry("NVRM: Xid (PCI:0000:04:00): 31, a", 200), entry("NVRM: Xid (PCI:0000:04:00): 48, b", 100)]
    assert [event.code for event in from_journal("\n".join(lines))] == [48, 31]


def test_dmesg():
    text = (
        "[    1.500000] NVRM: Xid (PCI:0000:04:00): 31, pid=9, name=a\n"
        "<4>[   10.250000][ T1234] NVRM: The NVIDIA GPU 0000:b3:00.0\n"
        "NVRM: (PCI ID: 10de:26b5) installed in this system has fallen off the bus and is not responding.\n"
        "[   11.000000] other: NVRM: Xid (PCI:0000:04:00): 79, x\n"
    )
    found = from_dmesg(text, 1000.0, BOOT)
    assert [(event.at, event.code, event.kind) for event in found] == [(1001.5, 31, "xid"), (1010.25, 79, "gone")]


@given(st.text(max_size=200))
@settings(max_examples=40, deadline=None)
def test_any_text_is_read_or_refused(text):
    assert from_dmesg(text, 0.0, BOOT) == []
    assert from_journal("\n".join([entry(text), entry(list(text.encode("utf-8", "replace")))])) == []
    try:
        from_journal(text)
    except Unreadable:
        pass

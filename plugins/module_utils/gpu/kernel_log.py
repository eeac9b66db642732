# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of the kernel's log that tell of GPUs and NVSwitches, as events.

A line counts only when it begins as the driver's lines do: whoever can have the kernel log a text of his choice (the
name of a process, a file, a device) must not be able to name a GPU in it. The forms are those of drivers 470 to 595.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import Unreadable
from .records import bus_id

XID, SXID, GONE = "xid", "sxid", "gone"
OFF_THE_BUS = 79
MAX_LINE, MAX_LINES = 4096, 500000

PCI = r"(?:PCI:)?(?P<bus>[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(?:\.[0-7])?)"
XID_LINE = re.compile(r"NVRM: Xid \(" + PCI + r"\): (?P<code>\d{1,5})(?:, (?P<text>.*))?", re.ASCII)
SXID_LINE = re.compile(r"nvidia-nvswitch\d{1,3}: SXid \(" + PCI + r"\): (?P<code>\d{1,6})(?:, (?P<text>.*))?", re.ASCII)
GONE_LINE = re.compile(r"NVRM: GPU (?:at )?" + PCI + r":? (?P<text>(?:GPU )?has fallen off the bus.*)")
# A probe that fails tells it in two or three lines, the first of which names the GPU.
PROBED_LINE = re.compile(r"NVRM: The NVIDIA GPU " + PCI + r"(?P<text>.*)")
PROBE_ENDS = re.compile(r"NVRM:.* fallen off the bus")
PROBE_LINES = 4
PROCESS = re.compile(r"pid='?(?P<pid>\d{1,10})'?(?:, name=(?P<name>[^,]{1,64}))?", re.ASCII)
FATAL = re.compile(r"\bFatal\b")
# A level, seconds since the start or a time of day, and a caller, as dmesg prints them.
STAMP = re.compile(r"(?:<\d{1,3}>)?\[ *(?P<at>\d{1,12}\.\d{1,9})\](?:\[ *[TC]\d{1,10}\])? ?(?P<rest>.*)", re.ASCII)


@dataclass(frozen=True, order=True)
class Event:
    """What one line told.

    Args:
        at: seconds since the epoch.
        boot: the boot's id, 32 hexadecimal digits.
        bus: PCI address of the GPU, or of the switch for an SXid.
        kind: xid, sxid, or gone: fallen off the bus, told without an XID; its code is 79.
        text: the rest of the line; pid and process are out of it.
        fatal: the line says so.
    """

    at: float
    boot: str
    bus: str
    kind: str
    code: int
    text: str = ""
    fatal: bool = False
    pid: int | None = field(default=None, compare=False)
    process: str = field(default="", compare=False)


def from_journal(text: str) -> list[Event]:
    """Events of `journalctl -o json`, one entry a line, in the order of time. Raises Unreadable."""
    events: list[Event] = []
    reader = _Lines()
    for number, line in enumerate(_lines(text), 1):
        try:
            entry = json.loads(line)
            at, boot = int(entry["__REALTIME_TIMESTAMP"]) / 1e6, str(entry["_BOOT_ID"])
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
            raise Unreadable("entry {0} of the journal is not understood: {1!r}".format(number, line[:100])) from error
        events += [event for part in _message(entry.get("MESSAGE")) for event in reader.read(at, boot, part)]
    return sorted(events)


def from_dmesg(text: str, booted_at: float, boot: str) -> list[Event]:
    """Events of `dmesg`, whose times are seconds since the start. A line without one is the rest of that before it."""
    events: list[Event] = []
    reader, at = _Lines(), booted_at
    for line in _lines(text):
        stamped = STAMP.fullmatch(line[:MAX_LINE])
        at = booted_at + float(stamped["at"]) if stamped else at
        events += reader.read(at, boot, stamped["rest"] if stamped else line)
    return sorted(events)


class _Lines:
    """One line after the other; remembers a probe that is being told of."""

    def __init__(self) -> None:
        self._probe: tuple[str, str, int] | None = None

    def read(self, at: float, boot: str, line: str) -> Iterator[Event]:
        line = line.strip()[:MAX_LINE]
        for kind, form in ((XID, XID_LINE), (SXID, SXID_LINE), (GONE, GONE_LINE)):
            found = form.fullmatch(line)
            if found:
                self._probe = None
                yield _event(at, boot, kind, found)
                return
        yield from self._probed(at, boot, line)

    def _probed(self, at: float, boot: str, line: str) -> Iterator[Event]:
        begins = PROBED_LINE.fullmatch(line)
        if begins:
            self._probe = (bus_id(begins["bus"]) or "", boot, PROBE_LINES)
        if self._probe is None or self._probe[1] != boot:
            return
        bus, _boot, left = self._probe
        if PROBE_ENDS.match(line):
            yield Event(at, boot, bus, GONE, OFF_THE_BUS, line)
            self._probe = None
        else:
            self._probe = (bus, boot, left - 1) if left > 1 else None


def _event(at: float, boot: str, kind: str, found: re.Match[str]) -> Event:
    text = found["text"] or ""
    code = OFF_THE_BUS if kind == GONE else int(found["code"])
    process = PROCESS.match(text)
    return Event(
        at=at,
        boot=boot,
        bus=bus_id(found["bus"]) or "",
        kind=kind,
        code=code,
        text=text,
        pid=int(process["pid"]) if process else None,
        process=(process["name"] or "") if process else "",
        fatal=bool(FATAL.search(text)),
    )


def _lines(text: str) -> Iterator[str]:
    # Only the line feed ends a line: splitlines would also end it at characters that a text may hold.
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > MAX_LINES:
        raise Unreadable("the kernel's log has more than {0} lines".format(MAX_LINES))
    return iter(lines)


def _message(said: Any) -> list[str]:
    """An entry's lines: text, or a list of bytes when it is not all text, or nothing when it is too long to be told."""
    if isinstance(said, list) and all(isinstance(byte, int) and 0 <= byte < 256 for byte in said):
        said = bytes(said).decode("utf-8", "replace")
    return said.split("\n") if isinstance(said, str) else []

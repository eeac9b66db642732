# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events folded: one error of one GPU many times is one incident, and what followed from another one says so."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, replace

from .kernel_log import GONE, OFF_THE_BUS, XID, Event

# Seconds in which a loss of the bus is told with and without an XID (NVSentinel, pull request 195).
SAME_LOSS = 300.0
# Several GPUs with the same error within a second, after another error of one of them: the first one is the cause.
TOGETHER, AFTER = 1.0, 60.0
# These only tell of another error.
NO_CAUSE = {45, 154}


@dataclass(frozen=True)
class Incident:
    """One error of one GPU or switch in one boot.

    Args:
        first: seconds since the epoch, as last.
        text: of the last line.
        follows: the error that came before it, when several GPUs had it together: 48 on 0000:04:00.0.
    """

    kind: str
    code: int
    bus: str
    boot: str
    count: int
    first: float
    last: float
    text: str
    process: str = ""
    fatal: bool = False
    follows: str = ""


def fold(events: list[Event]) -> list[Incident]:
    """The incidents, in the order of time. The order of the events is of no matter."""
    groups: dict[tuple[str, str, int, str], list[Event]] = {}
    ordered = sorted(set(events))
    for event in _without_twins(ordered):
        kind = XID if event.kind == GONE else event.kind
        groups.setdefault((event.boot, kind, event.code, event.bus), []).append(event)
    incidents = [
        Incident(
            kind=kind,
            code=code,
            bus=bus,
            boot=boot,
            count=len(group),
            first=group[0].at,
            last=group[-1].at,
            text=group[-1].text,
            process=next((event.process for event in reversed(group) if event.process), ""),
            fatal=any(event.fatal for event in group),
        )
        for (boot, kind, code, bus), group in groups.items()
    ]
    incidents.sort(key=lambda one: (one.first, one.boot, one.bus, one.kind, one.code))
    return [replace(one, follows=_root(one, incidents)) for one in incidents]


def _without_twins(ordered: list[Event]) -> list[Event]:
    """A loss told without an XID counts only where no XID 79 tells of it."""
    told: dict[tuple[str, str], list[float]] = {}
    for event in ordered:
        if event.kind == XID and event.code == OFF_THE_BUS:
            told.setdefault((event.boot, event.bus), []).append(event.at)
    return [
        event for event in ordered if event.kind != GONE or not _near(told.get((event.boot, event.bus), []), event.at)
    ]


def _near(times: list[float], at: float) -> bool:
    """Whether one of these times, which are in order, lies within SAME_LOSS."""
    place = bisect.bisect_left(times, at - SAME_LOSS)
    return place < len(times) and times[place] <= at + SAME_LOSS


def _root(one: Incident, incidents: list[Incident]) -> str:
    near = [other for other in incidents if other.boot == one.boot and other.kind == one.kind]
    peers = [other for other in near if other.code == one.code and abs(other.first - one.first) <= TOGETHER]
    if len({other.bus for other in peers}) < 2:
        return ""
    begin = min(other.first for other in peers)
    others = [other for other in near if other.code != one.code and other.code not in NO_CAUSE]
    causes = [other for other in others if 0 <= begin - other.first <= AFTER]
    return "{0} on {1}".format(causes[0].code, causes[0].bus) if causes else ""

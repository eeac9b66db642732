# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard's own time. Pure.

Wall clocks jump, and what was allowed three times an hour must not be allowed six times because one did. So windows,
cool-downs and expiries are judged by the seconds that surely passed: within one boot the difference of uptimes; over
a reboot no more than the uptime since, nor than the wall clock says. What is a lower bound ends late, never early.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timezone

from ..ledger.lease import Moment

# The end of what an alert's time may be, in seconds since 1970: the year 2100.
LATEST = 4102444800.0
RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d{1,9})?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)


@dataclass(frozen=True)
class Now:
    """A host's time: the wall clock in seconds since 1970, which may be wrong, and its uptime, which is not."""

    wall: float
    moment: Moment


@dataclass(frozen=True)
class GuardClock:
    """Seconds that surely passed up to the last record, and the host's time at that record."""

    seconds: float = 0.0
    wall: float = 0.0
    uptime: float = 0.0
    boot: str = ""

    def at(self, now: Now) -> float:
        """The guard's time now. Never less than at the last record."""
        if now.moment.boot == self.boot:
            return self.seconds + max(0.0, now.moment.uptime - self.uptime)
        return self.seconds + max(0.0, min(now.moment.uptime, now.wall - self.wall))

    def advanced(self, now: Now) -> GuardClock:
        """The clock as of a record that was written now."""
        return GuardClock(self.at(now), now.wall, now.moment.uptime, now.moment.boot)


def iso(wall: float) -> str:
    """Wall clock for people."""
    return datetime.fromtimestamp(wall, timezone.utc).isoformat(timespec="seconds")


def parse_time(text: str) -> float:
    """Seconds since 1970 of an alert's time (RFC 3339, down to nanoseconds). Raises ValueError."""
    found = RFC3339.fullmatch(text)
    if not found:
        raise ValueError("{0!r} is no time such as 2026-01-31T12:00:00Z".format(text[:40]))
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    # A leap second is a time, though not for datetime.
    datetime(year, month, day, hour, minute, 59 if second == 60 else second)
    seconds = calendar.timegm((year, month, day, hour, minute, second)) + float(found.group(7) or 0)
    if found.group(8):
        ahead = int(found.group(9)) * 3600 + int(found.group(10)) * 60
        seconds -= ahead if found.group(8) == "+" else -ahead
    return seconds

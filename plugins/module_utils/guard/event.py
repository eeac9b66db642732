# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An alert as the guard is asked about it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import Unreadable
from .clock import LATEST, parse_time
from .reading import Reader

PORT = re.compile(r"([^:]+):\d+")


@dataclass(frozen=True)
class Event:
    """One state of one alert. Times are seconds since 1970 by the clock of whoever sent it.

    `starts_at`: since when it fires. `seen_at`: when it was last seen to fire; whoever asks again looks again.
    """

    fingerprint: str
    starts_at: float
    status: str
    alert: str
    host: str
    seen_at: float

    @property
    def key(self) -> str:
        """By what two notifications are the same one (Alertmanager delivers at least once)."""
        return self.key_of(self.status)

    def key_of(self, status: str) -> str:
        """The key that this alert has in another state."""
        return "{0}@{1:.3f} {2}".format(self.fingerprint, self.starts_at, status)

    def to_dict(self) -> dict[str, Any]:
        """As the log keeps it."""
        return asdict(self)


def read_event(alert: Mapping[str, Any]) -> Event:
    """One alert of an Alertmanager webhook, with `seenAt` from whoever received it, or what `to_dict` gave.

    Without `seenAt` it was last seen when it began. Raises Unreadable for what is missing or no alert at all.
    """
    read = Reader()
    whole = read.mapping("event", alert)
    flat = "labels" not in whole
    labels = whole if flat else read.mapping("event.labels", whole["labels"])
    starts_at = _time(read, "event.startsAt", whole.get("starts_at" if flat else "startsAt"))
    seen = whole.get("seen_at" if flat else "seenAt")
    status = whole.get("status")
    if status not in ("firing", "resolved"):
        read.complain("event.status", status, "firing or resolved")
    event = Event(
        fingerprint=read.name("event.fingerprint", whole.get("fingerprint")),
        starts_at=starts_at,
        status=str(status),
        alert=read.name("event.labels.alertname", labels.get("alert" if flat else "alertname")),
        host=_host(read, labels.get("host" if flat else "instance")),
        seen_at=starts_at if seen is None else _time(read, "event.seenAt", seen),
    )
    read.finish(Unreadable, "the alert cannot be understood")
    return event


def _host(read: Reader, value: Any) -> str:
    """The host of an instance, without a port. Not every alert is about a host."""
    if value in (None, ""):
        return ""
    name = read.name("event.labels.instance", value)
    found = PORT.fullmatch(name)
    return found.group(1) if found else name


def _time(read: Reader, where: str, value: Any) -> float:
    if isinstance(value, str):
        try:
            value = parse_time(value)
        except ValueError as error:
            read.wrong.append("{0}: {1}".format(where, error))
            return 0.0
    return read.number(where, value, 0, LATEST)

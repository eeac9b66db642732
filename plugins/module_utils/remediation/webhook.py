# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an Alertmanager posts to the receiver, and what is said to it. Pure.

Alertmanager sends again after 5xx and 429, and never after 4xx. So a body that can never be understood is answered 400,
one alert among good ones that cannot is counted and left out, and whatever may go well later is answered 503.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import Unreadable
from ..guard.event import Event, read_event

MAX_BODY = 4 * 1024 * 1024  # bytes; a thousand alerts with long annotations are less than two
MAX_ALERTS = 5000
VERSION = "4"  # of the webhook, since Alertmanager 0.6


@dataclass(frozen=True)
class Batch:
    """One delivery: what can be acted on, and why the rest cannot. `truncated`: alerts that Alertmanager left out."""

    events: tuple[Event, ...]
    refused: tuple[str, ...] = ()
    truncated: int = 0


def authorized(header: str, token: str, user: str = "", password: str = "") -> bool:
    """Whether an Authorization header has the bearer token, or the user's password. An empty secret admits nobody.

    Compared in a time that does not tell how much was right.
    """
    kind, _space, given = header.strip().partition(" ")
    given = given.strip()
    if kind.lower() == "bearer":
        return bool(token) and _same(given, token)
    if kind.lower() == "basic":
        try:
            said = b64decode(given, validate=True).decode("utf-8")
        except ValueError:
            return False
        return bool(user and password) and _same(said, user + ":" + password)
    return False


def read_batch(body: bytes, received_at: float) -> Batch:
    """The alerts of a delivery, each once, as seen at `received_at` (seconds since 1970).

    Raises Unreadable for a body that is no delivery of a known version, or has too many alerts.
    """
    if len(body) > MAX_BODY:
        raise Unreadable("the body has {0} bytes, more than {1}".format(len(body), MAX_BODY))
    try:
        said = json.loads(body.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Unreadable("the body is no JSON: {0}".format(str(error)[:200])) from error
    if not isinstance(said, dict):
        raise Unreadable("the body is no JSON object")
    if said.get("version") != VERSION:
        raise Unreadable("the webhook's version is {0!r:.40}, known is {1}".format(said.get("version"), VERSION))
    alerts = said.get("alerts")
    if not isinstance(alerts, list) or len(alerts) > MAX_ALERTS:
        raise Unreadable("`alerts` must be a list of at most {0}".format(MAX_ALERTS))
    return _sorted(alerts, received_at, _count(said.get("truncatedAlerts")))


def _sorted(alerts: Sequence[Any], received_at: float, truncated: int) -> Batch:
    events: dict[str, Event] = {}
    refused: list[str] = []
    for place, alert in enumerate(alerts):
        try:
            event = _event(alert, received_at)
        except Unreadable as error:
            refused.append("alerts[{0}]: {1}".format(place, error.message))
        else:
            events[event.key] = event
    return Batch(tuple(events.values()), tuple(refused), truncated)


def _event(alert: Any, received_at: float) -> Event:
    if not isinstance(alert, Mapping) or "labels" not in alert:
        raise Unreadable("an alert has labels")
    # When it was last seen is the receiver's to say, whoever says something else.
    return read_event({**alert, "seenAt": received_at})


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _no_number(word: str) -> float:
    raise ValueError("{0} is no number".format(word))


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))

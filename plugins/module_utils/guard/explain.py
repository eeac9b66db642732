# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard's log in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..ledger.records import Record

WORDS = {"act": "allowed", "refuse": "refused", "wait": "not now", "ask": "a person is asked"}


def explain(record: Record) -> str:
    """One record for people: when, its number, what was decided or done, and why."""
    try:
        said = _said(record.event, record.data)
    except (KeyError, TypeError, ValueError):
        said = record.event
    return "{0}  #{1}  {2}".format(record.at, record.seq, said)


def explain_log(records: Iterable[Record], host: str = "") -> str:
    """All records, or those about one host, one line each."""
    return "\n".join(explain(record) for record in records if not host or _host(record) == host)


def _host(record: Record) -> Any:
    event = record.data.get("event")
    return event.get("host") if isinstance(event, dict) else record.data.get("host")


def _said(event: str, data: dict[str, Any]) -> str:
    if event == "decided":
        alert = data["event"]
        what = data["action"] or "nothing"
        head = "{0} on {1} for {2}".format(what, alert["host"] or "no host", alert["alert"])
        return "{0}: {1}, by rule {2}: {3}".format(WORDS[data["verdict"]], head, data["rule"], data["reason"])
    if event == "begun":
        return "begun: {0} on {1}, permit {2}".format(data["action"], data["host"], data["permit"])
    if event == "ended":
        note = ", {0}".format(data["note"]) if data["note"] else ""
        trips = "; the breaker trips: {0}".format(data["trips"]) if data["trips"] else ""
        return "ended: {0} on {1}, {2}{3}{4}".format(data["action"], data["host"], data["outcome"], note, trips)
    if event == "approved":
        return "approved: {0} on {1} by {2} for {3:.0f} s: {4}".format(
            data["action"], data["host"], data["by"], data["ttl"], data["reason"]
        )
    if event in ("paused", "resumed", "reset"):
        skipped = "; what began before is skipped" if data.get("skip_backlog") else ""
        return "{0} by {1}: {2}{3}".format(event, data["by"], data["reason"], skipped)
    return event

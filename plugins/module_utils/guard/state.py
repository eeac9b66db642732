# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guard remembers, made from its log and nothing else. Pure.

Every memory has an end in the guard's own time (`HORIZON`, or its own `until`), which whoever asks observes. So what is
over can be forgotten without changing any answer: that is all that a snapshot does.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import Unreadable
from ..ledger.records import Record
from .chain import SNAPSHOT, written_at
from .clock import GuardClock

# No limit of a policy looks back further, in seconds.
HORIZON = 7 * 86400.0
# Alerts that are remembered at once. The oldest gives way: it would be heard of anew, and be waited for anew.
MAX_HEARD = 10000


@dataclass
class Heard:
    """One event, by its key: since when it is known, and the last word on it. `counts`: as a failure of its host."""

    at: float
    host: str
    alert: str
    verdict: str
    rule: str
    action: str
    counts: bool


@dataclass
class Act:
    """A permit, and once begun, an action. `until`: when a permit lapses; `ended` and `outcome`: how it went."""

    key: str
    host: str
    pool: str
    action: str
    costs: bool
    at: float
    until: float
    ended: float | None = None
    outcome: str = ""


@dataclass
class Touch:
    """The last action on a host: in the guard's time, and the wall clock that no event may be older than."""

    at: float
    wall: float


class State:
    """Made by `rebuild`; `apply` is the only way to change it."""

    def __init__(self) -> None:
        self.clock = GuardClock()
        self.heard: dict[str, Heard] = {}
        self.failing: dict[str, dict[str, float]] = {}
        self.permits: dict[str, Act] = {}
        self.acts: dict[str, Act] = {}
        self.touched: dict[str, Touch] = {}
        self.approvals: dict[str, dict[str, Any]] = {}
        self.paused: dict[str, Any] | None = None
        self.tripped: dict[str, Any] | None = None
        self.reset: dict[str, Any] | None = None
        self.failures = 0

    def event(self, key: str, t: float) -> Heard | None:
        """What was said of an event, if it was heard of."""
        found = self.heard.get(key)
        return found if found and t - found.at < HORIZON else None

    def acted(self, key: str, t: float) -> Act | None:
        """The action that was begun for an event."""
        return next((act for act in self.begun(HORIZON, t) if act.key == key), None)

    def open_permit(self, key: str, t: float) -> str:
        """The permit that was given for an event and neither begun nor lapsed."""
        return next((number for number, permit in self.permits.items() if permit.key == key and t < permit.until), "")

    def busy(self, t: float) -> list[Act]:
        """Actions under way, and permits that may still be begun."""
        live = [permit for permit in self.permits.values() if t < permit.until]
        return live + [act for act in self.acts.values() if act.ended is None]

    def begun(self, window: float, t: float) -> list[Act]:
        """Actions begun within so many seconds."""
        return [act for act in self.acts.values() if t - act.at < window]

    def act(self, number: str, t: float) -> Act | None:
        """An action by its permit; one that is long over is forgotten."""
        found = self.acts.get(number)
        return found if found and (found.ended is None or t - found.at < HORIZON) else None

    def fails(self, pool: str, host: str, window: float, t: float) -> bool:
        """Whether a host of a pool was first heard to fail within so many seconds, and since the last reset."""
        at = self.failing.get(pool, {}).get(host)
        return at is not None and t - at < self.since_reset(window, t)

    def fail_together(self, pool: str, window: float, t: float) -> list[str]:
        """The hosts of a pool that `fails` is true of."""
        hosts = self.failing.get(pool, {})
        # In the order of their times; a loop over all of them would make a storm's work grow with its square.
        return list(hosts)[bisect_right(list(hosts.values()), t - self.since_reset(window, t)) :]

    def since_reset(self, window: float, t: float) -> float:
        """A window that does not reach behind the last reset: what was before it, a person has seen."""
        return min(window, t - float(self.reset["at"])) if self.reset else window

    def approved(self, key: str, action: str, t: float) -> dict[str, Any] | None:
        """The approval that a person gave for an action on an event, and that has not run out or been used."""
        found = self.approvals.get("{0}|{1}".format(key, action))
        return found if found and t < float(found["until"]) else None

    # --- Changes ----------------------------------------------------------------------------------------------------

    def apply(self, record: Record) -> None:
        """One record. An event that this version does not know changes nothing. Raises Unreadable."""
        try:
            if record.event == SNAPSHOT:
                self._load(record.data["state"])
                return
            self.clock = self.clock.advanced(written_at(record))
            change = getattr(self, "_on_" + record.event, None)
            if change:
                change(record.data, record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Unreadable("record {0} cannot be understood: {1!r}".format(record.seq, error)) from error

    def _on_decided(self, data: Mapping[str, Any], record: Record) -> None:
        event, t = data["event"], self.clock.seconds
        key, old = str(data["key"]), self.event(str(data["key"]), t)
        if old is None:
            self.heard.pop(key, None)
            while len(self.heard) >= MAX_HEARD:
                del self.heard[next(iter(self.heard))]
        counts = bool(data["counts"])
        if counts and not (old and old.counts):
            hosts = self.failing.setdefault(str(data["view"]["pool"]), {})
            hosts.pop(event["host"], None)
            hosts[event["host"]] = t
        self.heard[key] = Heard(
            old.at if old else t, event["host"], event["alert"], data["verdict"], data["rule"], data["action"],
            counts or bool(old and old.counts),
        )  # fmt: skip
        if data["verdict"] == "act":
            self.permits = {number: permit for number, permit in self.permits.items() if t < permit.until}
            self.permits[str(record.seq)] = Act(
                key, event["host"], data["view"]["pool"], data["action"], bool(data["costs"]), t, t + float(data["ttl"])
            )
        self._trip(data, record)

    def _on_begun(self, data: Mapping[str, Any], record: Record) -> None:
        t = self.clock.seconds
        permit = self.permits.pop(str(data["permit"]))
        self.approvals.pop("{0}|{1}".format(permit.key, permit.action), None)
        permit.at = t
        self.acts[str(data["permit"])] = permit
        # An alert may be ahead of this host's clock by a little; it must not outlive the action that it caused.
        self._touch(permit.host, max(written_at(record).wall, float(data["starts_at"])))

    def _on_ended(self, data: Mapping[str, Any], record: Record) -> None:
        act = self.acts[str(data["permit"])]
        act.ended, act.outcome = self.clock.seconds, str(data["outcome"])
        self.failures = 0 if act.outcome == "done" else self.failures + 1
        self._touch(act.host, written_at(record).wall)
        self._trip(data, record)

    def _on_approved(self, data: Mapping[str, Any], _record: Record) -> None:
        until = self.clock.seconds + float(data["ttl"])
        self.approvals["{0}|{1}".format(data["key"], data["action"])] = {"by": data["by"], "until": until}

    def _on_paused(self, data: Mapping[str, Any], record: Record) -> None:
        self.paused = {"by": data["by"], "reason": data["reason"], "since": record.at}

    def _on_resumed(self, _data: Mapping[str, Any], _record: Record) -> None:
        self.paused = None

    def _on_reset(self, data: Mapping[str, Any], record: Record) -> None:
        self.tripped, self.failures = None, 0
        wall = written_at(record).wall if data["skip_backlog"] else 0.0
        self.reset = {"at": self.clock.seconds, "wall": max(wall, float((self.reset or {}).get("wall", 0.0)))}

    def _touch(self, host: str, wall: float) -> None:
        before = self.touched.get(host)
        self.touched[host] = Touch(self.clock.seconds, max(wall, before.wall if before else 0.0))

    def _trip(self, data: Mapping[str, Any], record: Record) -> None:
        if data.get("trips") and not self.tripped:
            self.tripped = {"cause": data["trips"], "since": record.at}

    # --- Snapshots --------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """All that still counts. Mappings whose order counts are lists of pairs, since JSON's keys are sorted."""
        t = self.clock.seconds
        kept = {host: hosts for host, hosts in self.failing.items() if hosts}
        return {
            "clock": asdict(self.clock),
            "heard": [[key, asdict(one)] for key, one in self.heard.items() if t - one.at < HORIZON],
            "failing": {
                pool: [[host, at] for host, at in hosts.items() if t - at < HORIZON] for pool, hosts in kept.items()
            },
            "permits": [[number, asdict(one)] for number, one in self.permits.items() if t < one.until],
            "acts": [[number, asdict(one)] for number, one in self.acts.items() if self.act(number, t)],
            "touched": {host: asdict(one) for host, one in self.touched.items()},
            "approvals": {key: one for key, one in self.approvals.items() if t < float(one["until"])},
            "paused": self.paused,
            "tripped": self.tripped,
            "reset": self.reset,
            "failures": self.failures,
        }

    def _load(self, said: Mapping[str, Any]) -> None:
        self.clock = GuardClock(**said["clock"])
        self.heard = {key: Heard(**one) for key, one in said["heard"]}
        self.failing = {pool: {host: float(at) for host, at in hosts} for pool, hosts in said["failing"].items()}
        self.permits = {number: Act(**one) for number, one in said["permits"]}
        self.acts = {number: Act(**one) for number, one in said["acts"]}
        self.touched = {host: Touch(**one) for host, one in said["touched"].items()}
        self.approvals = dict(said["approvals"])
        self.paused, self.tripped, self.reset = said["paused"], said["tripped"], said["reset"]
        self.failures = int(said["failures"])


def rebuild(records: Iterable[Record]) -> State:
    """The state after all of a log. Raises Unreadable."""
    state = State()
    for record in records:
        state.apply(record)
    return state


def forged(records: Iterable[Record]) -> str:
    """The first snapshot that does not say what the records before it come to; empty when all do."""
    state, known = State(), False
    for record in records:
        if record.event == SNAPSHOT and known:
            mine = json.loads(json.dumps(state.snapshot()))
            if mine != record.data.get("state"):
                return "record {0} is not what the records before it come to".format(record.seq)
        state.apply(record)
        known = True
    return ""

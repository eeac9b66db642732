# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays a storm: the receiver that asks again, whoever acts, the fleet that changes by it, and the people."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import desk as ops
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.event import Event
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.facts import read_facts
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.policy import read_policy

from .desk import BEGIN, Desk
from .storm import Fire, Storm

# Seconds that an action takes, and between the looks of whoever gathers the facts.
TAKES, LOOK = 60.0, 5.0


@dataclass
class Alarm:
    """One alert of one host, as it is now. `source` is the fire it came from."""

    event: Event
    fire: Fire
    began: float
    over: bool = False


@dataclass(frozen=True)
class Row:
    """One word of the guard."""

    at: float
    alert: str
    host: str
    verdict: str
    rule: str
    action: str
    reason: str


class Play:
    """One run of a storm."""

    def __init__(self, storm: Storm) -> None:
        self.storm, self.policy, self.desk = storm, read_policy(storm.policy), Desk()
        self.rows: list[Row] = []
        self.acts: list[str] = []
        self.down: set[str] = set()
        self.held: dict[str, str] = {}
        self.burn: dict[str, float] = {}
        self.facts_age, self.sender_error = LOOK, 0.0
        self.alarms: dict[str, Alarm] = {}
        self.tries: Counter[str] = Counter()
        self._todo: list[tuple[float, int, Callable[[], None]]] = []
        self._planned = 0
        for fire in storm.fires:
            for number, host in enumerate(fire.hosts):
                self._plan_fire(fire, host, fire.at + number * fire.gap, *fire.again)
        for step in storm.steps:
            self._at(step["at"], partial(self._step, step))

    def run(self) -> Play:
        """Everything, in order of time."""
        while self._todo and self._todo[0][0] <= self.storm.lasts:
            at, _number, work = heapq.heappop(self._todo)
            self.desk.true = max(self.desk.true, at)
            work()
        return self

    def _at(self, at: float, work: Callable[[], None]) -> None:
        self._planned += 1
        heapq.heappush(self._todo, (at, self._planned, work))

    # --- Alerts -----------------------------------------------------------------------------------------------------

    def _plan_fire(self, fire: Fire, host: str, at: float, every: float = 0.0, times: int = 0) -> None:
        started = BEGIN + (at if fire.started is None else fire.started)
        event = Event(f"{fire.alert}-{host}", started, "firing", fire.alert, host, started)
        alarm = Alarm(event, fire, at if fire.started is None else fire.started)
        self._at(at, partial(self._begin, alarm))
        if fire.lasts is not None:
            self._at(at + fire.lasts, partial(self._over, alarm))
        for delay in fire.deliver:
            self._at(at + delay, partial(self._deliver, alarm, True))
        for number in range(1, times + 1):
            self._plan_fire(fire, host, at + number * every)

    def _begin(self, alarm: Alarm) -> None:
        alarm.event = replace(alarm.event, starts_at=alarm.event.starts_at + self.sender_error)
        if alarm.fire.ended_first:
            self._ask(replace(alarm.event, status="resolved"))
            alarm.over = True
        else:
            self.alarms[alarm.event.key] = alarm
            self.down |= {alarm.event.host} if alarm.fire.down else set()

    def _over(self, alarm: Alarm) -> None:
        if not alarm.over:
            alarm.over = True
            self.alarms.pop(alarm.event.key, None)
            self.down.discard(alarm.event.host)
            self._ask(replace(alarm.event, status="resolved"))

    def _deliver(self, alarm: Alarm, first: bool = False) -> None:
        """A notification, whether or not the alert still fires; then the same question again while it does."""
        if alarm.over and not first:
            return
        seen = self.desk.true if alarm.fire.seen is None else alarm.fire.seen
        said = self._ask(replace(alarm.event, seen_at=BEGIN + seen + self.sender_error))
        if said["verdict"] == "act":
            self._act(alarm, said)
        elif said["verdict"] in ("wait", "ask") and alarm.fire.seen is None and not alarm.over:
            self._at(self.desk.true + said["retry_after"], partial(self._deliver, alarm))

    def _ask(self, event: Event) -> dict[str, Any]:
        facts = read_facts(self.facts())
        said = self.desk.put(lambda state, now: ops.ask(state, event, facts, self.policy, now))
        if "seq" in said:
            words = (said["verdict"], said["rule"], said["action"], said["reason"])
            self.rows.append(Row(self.desk.true, event.alert, event.host, *words))
        return said

    def facts(self) -> dict[str, Any]:
        """What whoever gathers facts would say now."""
        firing = [alarm for alarm in self.alarms.values() if alarm.fire.seen is None]
        signals: dict[str, list[dict[str, Any]]] = {}
        for alarm in firing:
            says = [(name, True) for name in alarm.fire.says] + [(name, False) for name in alarm.fire.denies]
            known = signals.setdefault(alarm.event.host, [])
            known += [{"source": name, "bad": bad, "age": self.facts_age} for name, bad in says]
        began = {alarm.event.host: self.desk.true - alarm.began for alarm in reversed(firing)}
        return {
            "age": self.facts_age,
            "pools": {
                pool: {
                    "hosts": hosts,
                    "up": [host for host in hosts if host not in self.down],
                    "burn": self.burn.get(pool),
                    "held_by": self.held.get(pool, ""),
                }
                for pool, hosts in self.storm.pools.items()
            },
            "domains": self.storm.domains,
            "failing": began,
            "signals": signals,
        }

    # --- Actions ----------------------------------------------------------------------------------------------------

    def _act(self, alarm: Alarm, said: dict[str, Any]) -> None:
        permit, host = str(said["seq"]), alarm.event.host
        self.desk.put(lambda state, now: ops.begin(state, permit, now))
        self.acts.append(f"{self.desk.true:.0f} {host} {said['action']}")
        outcomes = self.storm.outcomes.get(host, [])
        outcome = outcomes[self.tries[host]] if self.tries[host] < len(outcomes) else "done"
        self.tries[host] += 1
        if self.policy.actions[said["action"]].costs_capacity:
            self.down.add(host)
        if outcome != "never":
            self._at(self.desk.true + TAKES, partial(self._ended, alarm, permit, outcome))

    def _ended(self, alarm: Alarm, permit: str, outcome: str) -> None:
        self.desk.put(lambda state, now: ops.end(state, permit, outcome, "", self.policy, now))
        if outcome == "done" and self.storm.heals:
            self._over(alarm)
        elif not alarm.fire.down:
            self.down.discard(alarm.event.host)

    # --- Everything else --------------------------------------------------------------------------------------------

    def _step(self, step: dict[str, Any]) -> None:
        """A person, a fact, a clock."""
        self.held.update(step.get("held", {}))
        self.burn.update(step.get("burn", {}))
        self.facts_age = step.get("facts_age", self.facts_age)
        self.desk.wall_error += step.get("clock", 0) + step.get("all_clocks", 0)
        self.sender_error += step.get("all_clocks", 0)
        if step.get("restart"):
            self.desk.restart()
        if step.get("reboot"):
            self.desk.reboot()
        if "person" in step:
            self._person(**{key: value for key, value in step.items() if key != "at"})

    def _person(self, person: str, host: str = "", action: str = "") -> None:
        who, why = "alice", "as the storm's file says"
        work: dict[str, Callable[[Any, Any], ops.Answer]] = {
            "approve": lambda state, now: ops.approve(state, host, action, who, why, self.policy, now),
            "pause": lambda state, now: ops.pause(state, who, why),
            "resume": lambda state, now: ops.resume(state, who, why),
            "reset": lambda state, now: ops.reset(state, who, why, True),
        }
        try:
            self.desk.put(work[person])
            word = "done"
        except Refused as error:
            word = error.message
        self.rows.append(Row(self.desk.true, "", host, "person", person, action, word))

    # --- What came of it --------------------------------------------------------------------------------------------

    def says(self) -> dict[str, int]:
        """How often each rule spoke, and with which verdict."""
        counts = Counter(f"{row.verdict} {row.rule}" for row in self.rows if row.verdict not in ("person", "act"))
        return dict(sorted(counts.items()))

    def differs(self) -> list[str]:
        """Where it is not as the storm's file expects."""
        expect = {"acts": self.storm.expect.get("acts", []), "says": self.storm.expect.get("says", {})}
        found = {"acts": self.acts, "says": self.says()}
        return [f"{key}: expected {expect[key]}, but found {found[key]}" for key in expect if expect[key] != found[key]]


def play(storm: Storm) -> Play:
    """Play a storm to its end."""
    return Play(storm).run()

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet for the guard's tests: what is asked, what is known, and what really happens in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import desk as ops
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.event import Event
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.facts import Facts, read_facts
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.policy import Policy, read_policy

from tests.replay.desk import BEGIN, Desk

HOSTS = [f"n{number}" for number in range(1, 21)]
DOCUMENT: dict[str, Any] = {
    "actions": {
        "restart": {"playbook": "restart"},
        "drain": {"playbook": "drain_node"},
        "clean": {"playbook": "clean_logs", "costs_capacity": False},
        "reboot": {"playbook": "reboot"},
    },
    "alerts": {
        "Hung": {"actions": ["restart", "drain"]},
        "Full": {"actions": ["clean"]},
        "Down": {"actions": ["reboot"]},
    },
}


def policy(**limits: Any) -> Policy:
    """Defaults but for these limits, and no patience."""
    return read_policy({**DOCUMENT, "limits": {"patience": 0, **limits}})


def known(up: list[str] | None = None, hosts: list[str] = HOSTS, **more: Any) -> Facts:
    """Facts about one pool, in which every host has two fresh sources that call it bad."""
    signals = [{"source": source, "bad": True, "age": 1} for source in ("engine", "probe")]
    pool = {"hosts": hosts, "up": hosts if up is None else up, "burn": more.pop("burn", None)}
    pool["held_by"] = more.pop("held_by", "")
    return read_facts({"age": 0, "pools": {"serving": pool}, "signals": dict.fromkeys(hosts, signals), **more})


def alert(host: str = "n1", at: float = 0.0, name: str = "Hung", seen: float | None = None, **more: Any) -> Event:
    """An alert that began `at` seconds after the beginning of time."""
    status = more.get("status", "firing")
    return Event(f"{name}-{host}", BEGIN + at, status, name, host, BEGIN + (at if seen is None else seen))


@dataclass
class Site:
    """A guard at work, and beside it the truth, kept by other means than the guard's own."""

    policy: Policy
    desk: Desk = field(default_factory=Desk)
    said: list[tuple[Any, ...]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    permits: list[dict[str, Any]] = field(default_factory=list)
    begun: list[dict[str, Any]] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    approved: dict[tuple[str, str], float] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)
    paused: bool = False
    tripped: bool = False

    # --- What may happen: each takes two numbers, of which it makes what it needs -----------------------------------

    def hear(self, a: int, b: int) -> None:
        """A new alert, of one of eight hosts, so that the same are met again."""
        event = alert(HOSTS[a % 8], self.desk.true, ("Hung", "Hung", "Full", "Down")[b % 4])
        self.events.append(event)
        self._ask(event, b)

    def again(self, a: int, b: int) -> None:
        """The same question again: at once, late, seen anew or not; out of order with others."""
        if self.events:
            event = self.events[-1 - a % len(self.events)]
            fresh = Event(**{**event.to_dict(), "seen_at": BEGIN + self.desk.true})
            self._ask(fresh if b % 4 else event, b)

    def resolve(self, a: int, b: int) -> None:
        """An alert's end, perhaps told before its begin is told again."""
        if self.events:
            event = self.events[-1 - a % len(self.events)]
            self._ask(Event(**{**event.to_dict(), "status": "resolved"}), b)

    def begin(self, a: int, _b: int) -> None:
        """Somebody begins, with a permit that may be used, lapsed, or overtaken by a pause."""
        if not self.permits:
            return
        permit = self.permits[-1 - a % len(self.permits)]
        try:
            self.desk.put(lambda state, now: ops.begin(state, permit["permit"], now))
        except Refused:
            return
        self._check(permit)
        self.begun.append({**permit, "at": self.desk.true, "ended": None})

    def end(self, a: int, b: int) -> None:
        """An action ends, well or not."""
        running = [one for one in self.begun if one["ended"] is None]
        if running:
            one, outcome = running[a % len(running)], ("done", "done", "failed")[b % 3]
            self.desk.put(lambda state, now: ops.end(state, one["permit"], outcome, "", self.policy, now))
            one["ended"] = self.desk.true
            self._notice()

    def approve(self, a: int, _b: int) -> None:
        """A person says yes to what was asked, if anything was."""
        asked = ops.status(self.desk.state, self.desk.now)["asked"]
        asked = [one for one in asked if one["action"]]
        if asked:
            one = asked[a % len(asked)]
            who = (one["host"], one["action"], "alice", "looked at it")
            said = self.desk.put(lambda state, now: ops.approve(state, *who, self.policy, now))
            if "seq" in said:
                self.approved[(one["host"], one["action"])] = self.desk.true

    def pause(self, _a: int, _b: int) -> None:
        """A person pauses."""
        self.desk.put(lambda state, _now: ops.pause(state, "alice", "works here"))
        self.paused = True

    def resume(self, _a: int, _b: int) -> None:
        """And goes on."""
        self.desk.put(lambda state, _now: ops.resume(state, "alice", "is done"))
        self.paused = False

    def reset(self, _a: int, b: int) -> None:
        """A person resets the breaker."""
        self.desk.put(lambda state, _now: ops.reset(state, "alice", "looked at it", bool(b % 2)))
        self.tripped = False

    def later(self, a: int, b: int) -> None:
        """Time passes: seconds, minutes or hours."""
        self.desk.true += (a % 60) * (1, 1, 20, 300)[b % 4]

    def hit(self, a: int, _b: int) -> None:
        """A host goes down by itself, or comes back."""
        self.broken ^= {HOSTS[a % len(HOSTS)]}

    def restart(self, _a: int, _b: int) -> None:
        """The guard dies and is started again."""
        self.desk.restart()

    def reboot(self, _a: int, _b: int) -> None:
        """Its host, too."""
        self.desk.reboot()

    def compact(self, _a: int, _b: int) -> None:
        """The log goes on in a new file."""
        self.desk.compact()

    def jump(self, a: int, b: int) -> None:
        """The host's clock jumps, or is set right."""
        self.desk.wall_error = 0.0 if b % 2 else (a % 200 - 100) * 100.0

    def serve(self, a: int, b: int) -> None:
        """The usual: an alert is asked about, begun and ended."""
        self.hear(a, b)
        self.approve(a, b)
        self.again(0, 1)
        self.begin(0, 0)
        self.later(40, 0)
        self.end(a, b)

    def rush(self, a: int, b: int) -> None:
        """Many at once, some of the same host, each begun at once and none ended."""
        for number in range(4):
            self.hear(a + number // 2, b + number)
            self.begin(0, 0)

    # --- What must be true ------------------------------------------------------------------------------------------

    def _up(self, without: str = "") -> list[str]:
        """Hosts that are really up, or would be if every permit were used."""
        out = {one["host"] for one in self.begun if one["ended"] is None and one["costs"]}
        out |= {one["host"] for one in self.permits if self.desk.true < one["until"] and one["costs"]}
        return [host for host in HOSTS if host not in self.broken | out | {without}]

    def _ask(self, event: Event, b: int) -> None:
        # What is told may be from before the last actions: it shows their hosts as up.
        up = [host for host in HOSTS if host not in self.broken] if b % 2 else self._up()
        before, facts = self._up(), known(up)
        said = self.desk.put(lambda state, now: ops.ask(state, event, facts, self.policy, now))
        self.said.append((said["verdict"], said["rule"], said["action"], said["reason"]))
        self._notice()
        if event.status == "resolved":
            self.over.add(event.key_of("firing"))
        if said["verdict"] == "act":
            now, most = self.desk.now.wall, self.policy.max_age
            assert not self.paused
            assert not self.tripped
            assert event.key not in self.over
            assert event.status == "firing"
            assert event.starts_at - now <= most
            assert abs(event.seen_at - now) <= most
            costs = self.policy.actions[said["action"]].costs_capacity
            if costs and event.host in before:
                assert len(before) - 1 >= self.policy.floor("serving", len(HOSTS))
            until = self.desk.true + self.policy.limits["permit_ttl"]
            permit = {"permit": str(said["seq"]), "host": event.host, "action": said["action"], "key": event.key}
            self.permits.append({**permit, "costs": costs, "until": until})

    def _notice(self) -> None:
        """Whether the breaker has tripped, by the log."""
        self.tripped |= bool(self.desk.records and self.desk.records[-1].data.get("trips"))

    def _check(self, permit: dict[str, Any]) -> None:
        now, limits, earlier = self.desk.true, self.policy.limits, self.begun
        assert not self.paused
        assert not self.tripped
        assert permit["key"] not in {one["key"] for one in earlier}
        assert sum(now - one["at"] < limits["rate_window"] for one in earlier) < limits["rate"]
        running = [one for one in earlier if one["ended"] is None]
        assert len(running) < self.policy.at_once(len(HOSTS))
        same = [one for one in earlier if one["host"] == permit["host"]]
        assert all(one["ended"] is not None and now - one["ended"] >= limits["cooldown"] for one in same)
        day = [one for one in same if one["action"] == permit["action"] and now - one["at"] < limits["attempts_window"]]
        assert len(day) < limits["attempts"]
        if self.policy.actions[permit["action"]].approval:
            given = self.approved.pop((permit["host"], permit["action"]))
            assert now - given <= limits["approval_ttl"] + limits["permit_ttl"]

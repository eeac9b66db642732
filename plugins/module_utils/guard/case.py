# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One question to the guard: the event, what is remembered, what was found, and the answer's shape. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from .event import Event
from .facts import Facts, Signal
from .policy import Action, Alert, Policy
from .state import State

# Seconds until it makes sense to ask again, where nothing says better.
RETRY = 60.0


@dataclass(frozen=True)
class View:
    """Of all facts, those that a decision about one host uses: this much is kept in the log beside it.

    `up` of `size` hosts of the pool are up; `worked_on` of these, beside the host itself, have an action under way or
    one that ended after they were looked at. `failing`: how many hosts of the pool began to fail within the breaker's
    window, this one too. `together`: what else of the host's domain began to fail within the domain's window.
    """

    age: float = 0.0
    pool: str = ""
    size: int = 0
    up: int = 0
    host_up: bool = False
    worked_on: int = 0
    failing: int = 0
    burn: float = 0.0
    burning: str = ""
    held_by: str = ""
    domain: str = ""
    together: tuple[str, ...] = ()
    silenced: bool = False
    signals: tuple[Signal, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As the log keeps it."""
        return asdict(self)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> View:
        """What `to_dict` gave."""
        signals = tuple(Signal(**signal) for signal in kept["signals"])
        return cls(**{**kept, "signals": signals, "together": tuple(kept["together"])})


@dataclass(frozen=True)
class Decision:
    """The answer: `rule` is the one that spoke, `reason` its sentence, `numbers` what it used.

    act: `action` is permitted. refuse: not for this event. wait: not now; ask again after `retry_after` seconds, having
    looked again. ask: a person is needed, to approve `action`, or to take over where it is empty. `trips`: the breaker
    trips for this cause. `counts`: the event counts as a failure of its host.
    """

    verdict: Literal["act", "refuse", "wait", "ask"]
    rule: str
    reason: str
    numbers: dict[str, Any] = field(default_factory=dict)
    action: str = ""
    retry_after: float = 0.0
    trips: str = ""
    counts: bool = False
    view: View | None = None


@dataclass(frozen=True)
class Case:
    """What a rule looks at. `t` is the guard's time; `wall` is the host's clock, for nothing but an alert's times.

    The rules that come first need no view and no action.
    """

    event: Event
    state: State
    policy: Policy
    t: float
    wall: float
    alert: Alert | None = None
    view: View = field(default_factory=View)
    action: Action | None = None

    def limit(self, key: str) -> float:
        """A limit as it is for this alert."""
        return self.policy.limit(key, self.alert) if self.alert else self.policy.limits[key]


def refuse(rule: str, reason: str, **numbers: Any) -> Decision:
    """Not for this event."""
    return Decision("refuse", rule, reason, numbers)


def wait(rule: str, reason: str, retry_after: float = RETRY, **numbers: Any) -> Decision:
    """Not now."""
    return Decision("wait", rule, reason, numbers, retry_after=max(1.0, retry_after))


def ask(rule: str, reason: str, action: str = "", **numbers: Any) -> Decision:
    """A person is needed."""
    return Decision("ask", rule, reason, numbers, action=action, retry_after=RETRY)


def look(event: Event, facts: Facts, state: State, policy: Policy, t: float) -> View:
    """Out of all facts and memories those about the event's host."""
    name = facts.pool_of.get(event.host, "")
    pool = facts.pools.get(name)
    if not pool:
        return View(age=facts.age)
    worked_on = {act.host for act in state.busy(t) if act.costs}
    # What was up when somebody looked may be down since: an action ended then, or its host is still on its way back.
    since = facts.age + policy.max_age
    worked_on |= {act.host for act in state.acts.values() if act.costs and act.ended and t - act.ended <= since}
    window = state.since_reset(policy.limits["breaker_window"], t)
    failing = {*facts.fail_together(name, window), *state.fail_together(name, window, t)} - facts.silenced
    burning, burn = facts.burning()
    return View(
        age=facts.age,
        pool=name,
        size=len(pool.hosts),
        up=len(pool.up),
        host_up=event.host in pool.up,
        worked_on=len((worked_on - {event.host}) & pool.up),
        failing=len(failing | {event.host}),
        burn=burn,
        burning=burning,
        held_by=pool.held_by,
        domain=facts.domain_of.get(event.host, ""),
        together=_together(event.host, facts, state, policy, t),
        silenced=event.host in facts.silenced,
        signals=facts.signals.get(event.host, ()),
    )


def _together(host: str, facts: Facts, state: State, policy: Policy, t: float) -> tuple[str, ...]:
    domain, window = facts.domain_of.get(host, ""), policy.limits["domain_window"]
    most = state.since_reset(window, t)
    return tuple(
        each
        for each in (facts.members[domain] if domain else ())
        if each != host
        and each not in facts.silenced
        and (facts.failing.get(each, most) < most or state.fails(facts.pool_of.get(each, ""), each, window, t))
    )

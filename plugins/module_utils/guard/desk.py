# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be asked of the guard and told to it, each as an answer and the record that makes it true. Pure.

Whoever acts asks (`ask`), gets a permit, begins with it (`begin`) and says how it ended (`end`). A permit lapses soon:
who died between asking and beginning has used nothing up. An action that was begun and never ended stays under way, and
keeps its host and its place, until a person says how it ended: unknown is never over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import Refused
from .case import Decision
from .clock import Now
from .decide import decide
from .event import Event
from .facts import Facts
from .fleet_rules import failed_in_a_row
from .policy import LIMITS, Policy
from .state import Act, State

OUTCOMES = ("done", "failed", "lost")


@dataclass(frozen=True)
class Answer:
    """What to say, and the record to write, if there is one: its event and its data."""

    said: dict[str, Any] = field(default_factory=dict)
    event: str = ""
    data: dict[str, Any] = field(default_factory=dict)


def ask(state: State, event: Event, facts: Facts, policy: Policy, now: Now) -> Answer:
    """Decide about an event. The permit, where it may be acted on, is the number of the record.

    The same answer to the same event again needs no record: nothing has changed.
    """
    decision = decide(event, state, facts, policy, now)
    said = {
        "verdict": decision.verdict,
        "rule": decision.rule,
        "reason": decision.reason,
        "numbers": decision.numbers,
        "action": decision.action,
        "playbook": policy.actions[decision.action].playbook if decision.action else "",
        "retry_after": decision.retry_after,
    }
    if _repeated(state, event, decision, now):
        return Answer(said)
    data = {
        **said,
        "key": event.key,
        "event": event.to_dict(),
        "view": decision.view.to_dict() if decision.view else None,
        "counts": decision.counts,
        "trips": decision.trips,
        "policy": policy.digest,
        "costs": bool(decision.action and policy.actions[decision.action].costs_capacity),
        "ttl": policy.limits["permit_ttl"],
    }
    return Answer(said, "decided", data)


def _repeated(state: State, event: Event, decision: Decision, now: Now) -> bool:
    before = state.event(event.key, state.clock.at(now))
    if not before or decision.verdict == "act" or decision.trips or decision.counts > before.counts:
        return False
    return (before.verdict, before.rule, before.action) == (decision.verdict, decision.rule, decision.action)


def begin(state: State, permit: str, now: Now) -> Answer:
    """Begin with a permit. Raises Refused when that must not be: then nothing may be done."""
    t, found = state.clock.at(now), state.permits.get(permit)
    if state.act(permit, t):
        raise Refused("the action of permit {0} was begun before: it is another's".format(permit))
    if not found or t >= found.until:
        raise Refused("there is no permit {0}, or it has lapsed: ask again".format(permit))
    if state.paused:
        raise Refused("paused by {by} since {since}: {reason}".format(**state.paused))
    if state.tripped:
        raise Refused("the breaker tripped at {since}: {cause}. A person resets it".format(**state.tripped))
    starts_at = float(found.key.rsplit("@", 1)[1].split()[0])
    data = {"permit": permit, "host": found.host, "action": found.action, "key": found.key, "starts_at": starts_at}
    return Answer({"action": found.action, "host": found.host, "permit": permit}, "begun", data)


def end(state: State, permit: str, outcome: str, note: str, policy: Policy | None, now: Now) -> Answer:
    """Say how an action ended. Saying it again is no news. Raises Refused for one that was not begun.

    Without a policy, as a person may say it, the default decides whether that is one failure too many.
    """
    act = _begun(state, permit, now)
    said = {"action": act.action, "host": act.host, "outcome": outcome}
    if act.ended is not None:
        if act.outcome != outcome:
            raise Refused("the action of permit {0} has ended before: {1}".format(permit, act.outcome))
        return Answer(said)
    failures = 0 if outcome == "done" else state.failures + 1
    trips = failed_in_a_row(failures) if failures >= _limit(policy, "breaker_failures") else ""
    return Answer(said, "ended", {**said, "permit": permit, "note": note, "trips": trips})


def _limit(policy: Policy | None, key: str) -> float:
    return policy.limits[key] if policy else LIMITS[key][0]


def _begun(state: State, permit: str, now: Now) -> Act:
    act = state.act(permit, state.clock.at(now))
    if not act:
        raise Refused("no action was begun with permit {0}".format(permit))
    return act


def approve(state: State, host: str, action: str, by: str, reason: str, policy: Policy | None, now: Now) -> Answer:
    """Approve an action that was asked for. It counts for that event alone, once, and not for long.

    Raises Refused when nobody has asked: nothing is approved blindly. Without a policy it counts as long as by default.
    """
    t = state.clock.at(now)
    asked = [
        key
        for key, heard in state.heard.items()
        if (heard.host, heard.action, heard.verdict) == (host, action, "ask") and state.event(key, t)
    ]
    if not asked or not action:
        raise Refused("nobody has asked for {0} on {1}; status lists what was asked".format(action, host))
    key, ttl = asked[-1], _limit(policy, "approval_ttl")
    said = {"host": host, "action": action, "by": by, "ttl": ttl}
    if state.approved(key, action, t):
        return Answer(said)
    return Answer(said, "approved", {**said, "key": key, "reason": reason})


def pause(state: State, by: str, reason: str) -> Answer:
    """Let nothing begin until it is resumed. What was begun goes on."""
    said = {"by": by, "reason": reason}
    if state.paused and (state.paused["by"], state.paused["reason"]) == (by, reason):
        return Answer(said)
    return Answer(said, "paused", said)


def resume(state: State, by: str, reason: str) -> Answer:
    """End a pause."""
    said = {"by": by, "reason": reason}
    return Answer(said, "resumed", said) if state.paused else Answer(said)


def reset(state: State, by: str, reason: str, skip_backlog: bool) -> Answer:
    """Set the breaker back, and begin to count failures anew. By default what began before is not acted on any more."""
    said = {"by": by, "reason": reason, "skip_backlog": skip_backlog}
    return Answer(said, "reset", said) if state.tripped else Answer(said)


def status(state: State, now: Now) -> dict[str, Any]:
    """How the guard stands, for people and for metrics."""
    t = state.clock.at(now)
    return {
        "paused": state.paused,
        "tripped": state.tripped,
        "failures_in_a_row": state.failures,
        "under_way": [
            {"permit": number, "host": act.host, "action": act.action, "seconds": t - act.at}
            for number, act in state.acts.items()
            if act.ended is None
        ],
        "asked": [
            {"host": heard.host, "alert": heard.alert, "action": heard.action}
            for key, heard in state.heard.items()
            if heard.verdict == "ask" and state.event(key, t)
        ],
        "begun_last_hour": len(state.begun(3600, t)),
        "begun_last_day": len(state.begun(86400, t)),
    }

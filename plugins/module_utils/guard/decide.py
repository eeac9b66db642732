# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an action may be taken for an alert, and if not, which rule says so and why. Pure.

The order is part of the promise. First what nobody may overrule (a person's pause, the breaker); then what makes the
event worth nothing, or somebody's own doing; then what trips the breaker, so that nothing after it hides a storm; then
what speaks against this host; then the budgets that all share; last the person, who is thus asked only about what could
be done at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from . import event_rules, fleet_rules, host_rules
from .case import Case, Decision, View, look
from .clock import Now
from .event import Event
from .facts import Facts
from .policy import Policy
from .state import State

Rule = Callable[[Case], "Decision | None"]

# What these turn away does not count as a failure of its host. The first need no facts.
BEFORE: tuple[Rule, ...] = (
    event_rules.paused,
    event_rules.tripped,
    event_rules.nothing_to_do,
    event_rules.unknown,
    event_rules.ended,
    event_rules.acted,
    event_rules.ahead,
    event_rules.stale,
)
APART: tuple[Rule, ...] = (
    host_rules.unknown_host,
    host_rules.silenced,
    host_rules.deploying,
)
AFTER: tuple[Rule, ...] = (
    fleet_rules.trips,
    host_rules.whole_domain,
    host_rules.busy,
    host_rules.cooling,
    host_rules.exhausted,
    host_rules.unproved,
    host_rules.impatient,
    fleet_rules.crowded,
    fleet_rules.used_up,
    fleet_rules.below_floor,
    fleet_rules.unapproved,
    fleet_rules.rehearsing,
)
ORDER = (*BEFORE, *APART, *AFTER)


def decide(event: Event, state: State, facts: Facts, policy: Policy, now: Now) -> Decision:
    """Decide about one event. Changes nothing: a decision counts once its record is in the log."""
    case = _case(event, state, policy, now)
    return _first(BEFORE, case) or _closer(replace(case, view=look(event, facts, state, policy, case.t)))


def judge(event: Event, state: State, view: View, policy: Policy, now: Now) -> Decision:
    """Decide by what the log kept of the facts: the same decision again."""
    case = _case(event, state, policy, now)
    return _first(BEFORE, case) or _closer(replace(case, view=view))


def _closer(case: Case) -> Decision:
    said = _first(APART, case)
    if said:
        return replace(said, view=case.view)
    case = replace(case, action=host_rules.choose(case))
    return replace(_first(AFTER, case) or _allowed(case), view=case.view, counts=True)


def _case(event: Event, state: State, policy: Policy, now: Now) -> Case:
    return Case(event, state, policy, state.clock.at(now), now.wall, policy.alerts.get(event.alert))


def _first(rules: Iterable[Rule], case: Case) -> Decision | None:
    for rule in rules:
        said = rule(case)
        if said:
            return said
    return None


def _allowed(case: Case) -> Decision:
    view, policy, action = case.view, case.policy, case.action
    begun = len(case.state.begun(case.limit("rate_window"), case.t))
    left = view.up - view.worked_on - (1 if view.host_up else 0)
    floor = policy.floor(view.pool, view.size)
    reason = "action {0} of {1:.0f} in {2:.0f} s; {3} of {4} hosts of {5} stay up, at least {6}".format(
        begun + 1, case.limit("rate"), case.limit("rate_window"), left, view.size, view.pool, floor
    )
    return Decision(
        "act",
        "allowed",
        reason,
        {"begun": begun, "left": left, "floor": floor, "failing": view.failing},
        action=action.name if action else "",
    )

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about the fleet: the breaker, the budgets that all share, and the person. Pure. decide.py has their order."""

from __future__ import annotations

from dataclasses import replace

from .case import Case, Decision, ask, refuse, wait


def trips(case: Case) -> Decision | None:
    """What trips the breaker. From then on nothing acts until a person has reset it."""
    view, failures = case.view, case.state.failures
    cause = ""
    if view.failing >= case.limit("breaker_hosts") and view.failing * 100 > case.limit("breaker_percent") * view.size:
        cause = "{0} of {1} hosts of {2} began to fail within {3:.0f} s, more than {4:.0f} %".format(
            view.failing, view.size, view.pool, case.limit("breaker_window"), case.limit("breaker_percent")
        )
    elif view.burn > case.limit("breaker_burn"):
        cause = "{0} burns its error budget {1:.1f} times as fast as it may, more than {2:g}".format(
            view.burning, view.burn, case.limit("breaker_burn")
        )
    elif failures >= case.limit("breaker_failures"):
        cause = failed_in_a_row(failures)
    if not cause:
        return None
    said = refuse(
        "breaker", "the breaker trips: {0}. A person resets it".format(cause), failing=view.failing, burn=view.burn
    )
    return replace(said, trips=cause)


def failed_in_a_row(count: int) -> str:
    """The cause, when actions do not help."""
    return "{0} action(s) in a row failed".format(count)


def crowded(case: Case) -> Decision | None:
    """As many hosts of the pool are worked on as may be."""
    most = case.policy.at_once(case.view.size)
    acts = [act for act in case.state.busy(case.t) if act.pool == case.view.pool]
    if len(acts) < most:
        return None
    oldest = min(acts, key=lambda act: act.at)
    return wait(
        "concurrency",
        "{0} of {1} allowed in {2}: {3} on {4} since {5:.0f} s".format(
            len(acts), most, case.view.pool, oldest.action, oldest.host, case.t - oldest.at
        ),
        running=len(acts),
        most=most,
    )


def used_up(case: Case) -> Decision | None:
    """As many actions were begun in the whole fleet as may be."""
    most, window = int(case.limit("rate")), case.limit("rate_window")
    begun = sorted(act.at for act in case.state.begun(window, case.t))
    count = len(begun) + sum(1 for permit in case.state.permits.values() if case.t < permit.until)
    if count < most:
        return None
    left = window - (case.t - begun[0]) if begun else window
    return wait(
        "rate",
        "{0} of {1} actions within {2:.0f} s were begun in the whole fleet".format(count, most, window),
        left,
        begun=count,
        most=most,
    )


def below_floor(case: Case) -> Decision | None:
    """Too few hosts would stay up. A host that is down costs nothing."""
    view = case.view
    if not (case.action and case.action.costs_capacity and view.host_up):
        return None
    left, floor = view.up - view.worked_on - 1, case.policy.floor(view.pool, view.size)
    if left >= floor:
        return None
    return wait(
        "floor",
        "without {0}, {1} of {2} hosts of {3} would be up, below {4}".format(
            case.event.host, left, view.size, view.pool, floor
        ),
        left=left,
        floor=floor,
    )


def unapproved(case: Case) -> Decision | None:
    """A person has to say yes, and has not, or too long ago."""
    if not case.alert or not case.action or not case.policy.needs_approval(case.alert, case.action):
        return None
    if case.state.approved(case.event.key, case.action.name, case.t):
        return None
    return ask(
        "approval",
        "everything else allows {0} on {1}; a person has to approve it".format(case.action.name, case.event.host),
        case.action.name,
    )


def rehearsing(case: Case) -> Decision | None:
    """A dry run: say what would be done. Nothing is counted, so each event is judged as if it were the only one."""
    if not case.policy.dry_run or not case.action:
        return None
    said = refuse("dry_run", "a dry run: {0} on {1} would be done".format(case.action.name, case.event.host))
    return replace(said, action=case.action.name)

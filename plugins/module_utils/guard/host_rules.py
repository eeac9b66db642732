# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about the host and what it fails with. Pure. decide.py has their order."""

from __future__ import annotations

from .case import Case, Decision, ask, refuse, wait
from .policy import Action


def unknown_host(case: Case) -> Decision | None:
    """Nobody knows the host, or what is known is old. Unknown is never zero and never healthy."""
    view, most = case.view, case.policy.max_age
    if not view.pool:
        return wait("facts", "{0} is in no pool that is known".format(case.event.host))
    if view.age > most:
        return wait(
            "facts",
            "what is known is {0:.0f} s old, at most {1:.0f} s are allowed".format(view.age, most),
            age=view.age,
        )
    return None


def whole_domain(case: Case) -> Decision | None:
    """What fails together is not mended one by one: it is the rack, the switch, the power."""
    view, need = case.view, int(case.limit("domain_hosts"))
    count = len(view.together) + 1
    if not view.domain or count < need:
        return None
    return refuse(
        "domain",
        "{0} hosts of {1} began to fail within {2:.0f} s (also {3}): it is {1}, not {4}".format(
            count, view.domain, case.limit("domain_window"), ", ".join(view.together[:5]), case.event.host
        ),
        hosts=count,
        domain=view.domain,
    )


def silenced(case: Case) -> Decision | None:
    """Somebody has silenced the host's alerts: he works there."""
    return wait("silence", "{0} is silenced".format(case.event.host)) if case.view.silenced else None


def deploying(case: Case) -> Decision | None:
    """Another holds the lease on the pool: a rollout changes it."""
    view = case.view
    return wait("deploy", "{0} is held by {1}".format(view.pool, view.held_by)) if view.held_by else None


def busy(case: Case) -> Decision | None:
    """An action is under way on the host. One that never ended is under way until a person says how it ended."""
    for act in case.state.busy(case.t):
        if act.host == case.event.host:
            since = case.t - act.at
            return wait("busy", "{0} is under way on {1} since {2:.0f} s".format(act.action, act.host, since))
    return None


def cooling(case: Case) -> Decision | None:
    """The last action on the host is not long over."""
    touched, need = case.state.touched.get(case.event.host), case.limit("cooldown")
    passed = case.t - touched.at if touched else need
    if passed >= need:
        return None
    return wait(
        "cooldown",
        "the last action on {0} ended {1:.0f} s ago, {2:.0f} s must pass".format(case.event.host, passed, need),
        need - passed,
        passed=passed,
        need=need,
    )


def choose(case: Case) -> Action | None:
    """The first action of the alert that has attempts left on the host."""
    names = case.alert.actions if case.alert else ()
    window, most = case.limit("attempts_window"), case.limit("attempts")
    tried = [act.action for act in case.state.begun(window, case.t) if act.host == case.event.host]
    return next((case.policy.actions[name] for name in names if tried.count(name) < most), None)


def exhausted(case: Case) -> Decision | None:
    """Every action has had its attempts: a person takes over."""
    if case.action or not case.alert:
        return None
    return ask(
        "attempts",
        "each of {0} had {1:.0f} attempts on {2} within {3:.0f} s: a person takes over".format(
            ", ".join(case.alert.actions), case.limit("attempts"), case.event.host, case.limit("attempts_window")
        ),
    )


def unproved(case: Case) -> Decision | None:
    """Too few fresh sources say that the host is bad, or no majority of those that say anything."""
    most = case.policy.max_age
    fresh = [signal for signal in case.view.signals if signal.age <= most]
    sources, bad = {signal.source for signal in fresh}, {signal.source for signal in fresh if signal.bad}
    destructive = bool(case.action and case.action.destructive)
    need = int(max(case.limit("signals"), case.limit("signals_destructive") if destructive else 0))
    if len(bad) >= need and 2 * len(bad) > len(sources):
        return None
    return wait(
        "evidence",
        "{0} of {1} sources not older than {2:.0f} s say that {3} is bad; {4} and a majority are needed{5}".format(
            len(bad), len(sources), most, case.event.host, need, " for what is destructive" if destructive else ""
        ),
        bad=len(bad),
        sources=len(sources),
        need=need,
    )


def impatient(case: Case) -> Decision | None:
    """It may pass by itself, or turn out to be more than one host."""
    heard, need = case.state.event(case.event.key, case.t), case.limit("patience")
    passed = case.t - heard.at if heard else 0.0
    if passed >= need:
        return None
    return wait(
        "patience",
        "first heard of {0:.0f} s ago, {1:.0f} s must pass".format(passed, need),
        need - passed,
        passed=passed,
        need=need,
    )

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about the event itself: whether it says anything that is worth an action now. Pure.

A rule looks at a case and speaks, or says nothing. decide.py has their order.
"""

from __future__ import annotations

from .case import Case, Decision, refuse, wait


def paused(case: Case) -> Decision | None:
    """A person has paused everything."""
    pause = case.state.paused
    if not pause:
        return None
    return wait("pause", "paused by {by} since {since}: {reason}".format(**pause))


def tripped(case: Case) -> Decision | None:
    """The breaker has tripped, and no person has reset it. It never resets itself."""
    trip = case.state.tripped
    if not trip:
        return None
    return refuse("breaker", "the breaker tripped at {since}: {cause}. A person resets it".format(**trip))


def nothing_to_do(case: Case) -> Decision | None:
    """An alert that has ended, or is about no host."""
    if case.event.status != "firing":
        return refuse("event", "{0} has ended".format(case.event.alert))
    if not case.event.host:
        return refuse("event", "{0} is about no host".format(case.event.alert))
    return None


def unknown(case: Case) -> Decision | None:
    """An alert that the policy has no action for."""
    if case.alert:
        return None
    return refuse("policy", "the policy has no action for {0}".format(case.event.alert))


def ended(case: Case) -> Decision | None:
    """An alert whose end came before this notification of its begin."""
    if not case.state.event(case.event.key_of("resolved"), case.t):
        return None
    return refuse("ended", "the end of this alert is known already; its begin comes late or again")


def acted(case: Case) -> Decision | None:
    """An event that an action was begun for, or is permitted for right now."""
    done = case.state.acted(case.event.key, case.t)
    if done:
        now = done.outcome or "not ended"
        return refuse(
            "acted",
            "{0} was begun for this event {1:.0f} s ago ({2}); if it still fires, a person must look".format(
                done.action, case.t - done.at, now
            ),
            seconds=case.t - done.at,
            outcome=now,
        )
    number = case.state.open_permit(case.event.key, case.t)
    if number:
        left = case.state.permits[number].until - case.t
        return wait("acted", "a permit for it was given and lapses in {0:.0f} s".format(left), left)
    return None


def ahead(case: Case) -> Decision | None:
    """An event from the future: one of the clocks is wrong, and nobody knows which."""
    by = max(case.event.starts_at, case.event.seen_at) - case.wall
    most = case.policy.max_age
    if by <= most:
        return None
    return refuse(
        "clock",
        "the event is {0:.0f} s ahead of this host's clock, at most {1:.0f} s are allowed".format(by, most),
        ahead=by,
    )


def stale(case: Case) -> Decision | None:
    """An event from before the last action on the host, or the last reset, or that nobody has seen to fire lately."""
    event, state = case.event, case.state
    touched = state.touched.get(event.host)
    if touched and event.starts_at <= touched.wall:
        by = touched.wall - event.starts_at
        return refuse(
            "stale", "it began {0:.0f} s before the last action on {1}".format(by, event.host), before_action=by
        )
    if state.reset and event.starts_at <= state.reset["wall"]:
        by = state.reset["wall"] - event.starts_at
        return refuse("stale", "it began {0:.0f} s before a person reset the breaker".format(by), before_reset=by)
    age, most = case.wall - event.seen_at, case.policy.max_age
    if age > most:
        return refuse(
            "stale",
            "it was last seen {0:.0f} s ago, at most {1:.0f} s are allowed".format(age, most),
            age=age,
            most=most,
        )
    return None

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gates on what the balancers saw: health, errors, response times, and one error budget for the whole rollout. Pure.

"New" are the servers of the batch, "peers" those still on the old release, over the same time: a comparison with an
earlier time would blame the release for the hour of the day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .evidence import Totals
from .gate import Limits, Verdict, failed, passed, shown, unclear
from .statistics import lower_bound, worse_p_value


def balancer_gate(seen: Mapping[str, Any], servers: Iterable[str], downs: Mapping[str, int]) -> Verdict:
    """Every new server is UP on every balancer and was never DOWN.

    seen: balancer name to its servers, name to {status, up, check_status}; or to None or a text, the reason why it
    could not be read. downs: server name to how often it went DOWN during the bake.
    """
    new = list(servers)
    wrong = [
        "{0} went DOWN {1} time(s) during the bake".format(name, downs[name]) for name in new if downs.get(name, 0)
    ]
    unread = []
    for balancer, found in sorted(seen.items()):
        if not isinstance(found, Mapping):
            unread.append("{0} could not be read ({1})".format(balancer, shown(found or "no reason given")))
            continue
        for name in new:
            here, reason = _health(found, name)
            (wrong if here is False else unread if here is None else []).append(
                "{0} on {1} {2}".format(name, balancer, reason)
            )
    evidence = {"seen": dict(seen), "downs": {name: downs.get(name, 0) for name in new}}
    if wrong:
        return failed("balancer", "; ".join(wrong + unread), **evidence)
    if unread or not seen or not new:
        return unclear("balancer", "; ".join(unread) or "there was no balancer or no server to look at", **evidence)
    return passed("balancer", "{0} UP on {1}".format(", ".join(new), ", ".join(sorted(seen))), **evidence)


def _health(found: Mapping[str, Any], name: str) -> tuple[bool | None, str]:
    """Up, not up, or None for unknown; and the words for it."""
    if name not in found:
        return False, "is not a server of the pool"
    row = found[name]
    if not isinstance(row, Mapping) or not isinstance(row.get("up"), bool):
        return None, "could not be understood"
    return row["up"], "is {0} ({1})".format(shown(row.get("status")), shown(row.get("check_status")))


def error_gate(new: Totals, peers: Totals, limits: Limits) -> Verdict:
    """The new servers answer no more errors than is allowed at all, nor than their peers do at the same time.

    Fails when the share of errors certainly exceeds max_error_percent (exact lower bound), or the peers' share by more
    than excess_percent with at most alpha of chance (Fisher). One single error is never enough to fail.
    """
    tried, peers_tried = max(new.requests, new.errors), max(peers.requests, peers.errors)
    share, peers_share = _percent(new.errors, tried), _percent(peers.errors, peers_tried)
    least = 100.0 * lower_bound(new.errors, tried, limits.confidence)
    chance = worse_p_value(new.errors, tried, peers.errors, peers_tried)
    evidence = {
        "requests": new.requests, "errors": new.errors, "percent": share, "at_least_percent": least,
        "peers_requests": peers.requests, "peers_errors": peers.errors, "peers_percent": peers_share, "chance": chance,
    }  # fmt: skip
    said = "{0} of {1} requests failed at the new servers ({2:.2f} %), ".format(new.errors, tried, share)
    said += (
        "{0} of {1} at their peers ({2:.2f} %)".format(peers.errors, peers_tried, peers_share)
        if peers_tried
        else "there were none at peers to compare with"
    )
    wrong = []
    if least > limits.max_error_percent:
        wrong.append(
            "certainly more than {0:.2f} %, allowed are {1:g} %".format(_below(least), limits.max_error_percent)
        )
    if chance <= limits.alpha and share - peers_share > limits.excess_percent:
        wrong.append(
            "{0:.2f} percentage points more than the peers, by chance less than once in {1:.0f}".format(
                share - peers_share, min(1e9, 1.0 / max(chance, 1e-9))
            )
        )
    if wrong and new.errors > 1:
        return failed("errors", "{0}: {1}".format(said, "; ".join(wrong)), **evidence)
    if wrong or new.requests < limits.min_requests:
        return unclear("errors", "{0}: {1} requests are needed to judge".format(said, limits.min_requests), **evidence)
    return passed("errors", said, **evidence)


def latency_gate(new: Totals, peers: Totals, limits: Limits) -> Verdict:
    """The new servers' mean time to respond, in ms, is not a multiple of their peers', small differences aside.

    The first few requests meet cold caches: below min_requests a slow server is not yet a bad one.
    """
    evidence = {"response_ms": new.response_ms, "peers_response_ms": peers.response_ms, "requests": new.requests}
    if new.response_ms is None:
        return unclear(
            "latency", "{0} requests at the new servers are too few to time".format(new.requests), **evidence
        )
    said = "the new servers respond after {0:.0f} ms".format(new.response_ms)
    if peers.response_ms is None:
        return passed("latency", "{0}; there were no peers to compare with".format(said), **evidence)
    said += ", their peers after {0:.0f} ms".format(peers.response_ms)
    slower = new.response_ms > limits.max_latency_ratio * peers.response_ms
    if slower and new.response_ms - peers.response_ms > limits.latency_floor_ms:
        if new.requests < limits.min_requests:
            said += " after {0} requests, {1} are needed to judge".format(new.requests, limits.min_requests)
            return unclear("latency", said, **evidence)
        return failed("latency", "{0}: more than {1:g} times".format(said, limits.max_latency_ratio), **evidence)
    return passed("latency", said, **evidence)


def budget_gate(spent_errors: int, requests: int, limits: Limits) -> Verdict:
    """Errors at changed servers over all batches stay within the rollout's one budget. Never inconclusive."""
    allowed = max(float(limits.error_budget_min), limits.error_budget_percent / 100.0 * requests)
    reason = "{0} errors in {1} requests at changed servers so far, the rollout's budget is {2:.0f}".format(
        spent_errors, requests, int(allowed)
    )
    judge = failed if spent_errors > allowed else passed
    return judge("budget", reason, errors=spent_errors, requests=requests, allowed=allowed)


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 0.0


def _below(percent: float) -> float:
    """Rounded down to two digits: what is said to be certain must not be more than it is."""
    return int(percent * 100.0) / 100.0

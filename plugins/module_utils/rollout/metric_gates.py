# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gates on what engine, metrics, alerts, GPUs and the operator's own checks say. Pure.

Answers come from a network and are taken to be hostile: whatever they hold, no gate raises, and what is not understood
never passes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from .gate import Verdict, as_number, failed, passed, shown, unclear

# One look at an engine: time (s), requests running, requests waiting, tokens made since it began or None.
Sample = tuple[float, float, float, "float | None"]

NEEDED_LOADS = 3


def progress_gate(samples: Sequence[Sample], stall_seconds: float) -> Verdict:
    """An engine with work to do makes tokens. Busy in every look for stall_seconds without a new one: it hangs."""
    if not samples or not all(_good_sample(sample) for sample in samples):
        return unclear("progress", "the engine could not be looked at, or said what is no number")
    if all(tokens is None for _at, _running, _waiting, tokens in samples):
        return passed("progress", "the engine does not say how many tokens it made", samples=len(samples))
    since: tuple[float, float] | None = None
    longest = 0.0
    for at, running, waiting, tokens in sorted(samples, key=lambda sample: sample[0]):
        if running + waiting <= 0:
            since = None
        elif tokens is not None and (since is None or tokens != since[1]):
            since = (at, tokens)
        elif tokens is not None and since is not None:
            longest = max(longest, at - since[0])
    evidence = {"longest_stall_s": longest, "stall_seconds": stall_seconds, "samples": len(samples)}
    reason = "with requests to serve the engine made no token for {0:.0f} s, allowed are {1:g} s".format(
        longest, stall_seconds
    )
    if longest > 0 and longest >= stall_seconds:
        return failed("progress", reason, **evidence)
    return passed("progress", reason, **evidence)


def _good_sample(sample: Any) -> bool:
    if not isinstance(sample, (tuple, list)) or len(sample) != 4:
        return False
    at, running, waiting, tokens = sample
    counts = [running, waiting] if tokens is None else [running, waiting, tokens]
    good = all(not isinstance(value, str) and as_number(value) is not None for value in (at, *counts))
    return good and all(value >= 0 for value in counts)


def load_time_gate(seconds: float, earlier: Sequence[float], factor: float, floor_s: float) -> Verdict:
    """The release loaded in about the usual time: at most the median of earlier loads times factor, or floor_s."""
    known = [number for number in map(as_number, earlier) if number is not None and number >= 0]
    took = as_number(seconds)
    if took is None or took < 0:
        return unclear("load_time", "how long the release took to load is not known: {0}".format(shown(seconds)))
    evidence = {"seconds": took, "earlier": known}
    if len(known) < NEEDED_LOADS:
        return passed("load_time", "loaded in {0:.1f} s; no budget learned yet".format(took), **evidence)
    usual = median(known)
    budget = max(usual * factor, floor_s)
    reason = "loaded in {0:.1f} s, usual are {1:.1f} s, allowed {2:.1f} s".format(took, usual, budget)
    return (passed if took <= budget else failed)("load_time", reason, budget_s=budget, **evidence)


def prometheus_gate(query: Mapping[str, Any], reply: Any, now_s: float, max_age_s: float) -> Verdict:
    """Every value of an instant query is within the query's `max` and `min`, and fresh.

    query: {name, max, min}, at least one of the two. reply: what /api/v1/query answered, parsed; or a text, the reason
    why there is none. Format: https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
    """
    gate = "prometheus {0}".format(shown(query.get("name")))
    limits = {key: as_number(query.get(key)) for key in ("max", "min") if query.get(key) is not None}
    if not limits or None in limits.values():
        return unclear(gate, "the query has neither max nor min, or one that is no number")
    rows, trouble = _instant(reply)
    values, crossed = [], []
    for labels, point in rows:
        value, wrong = _fresh(point, now_s, max_age_s)
        if value is None:
            trouble = trouble or wrong
            continue
        values.append(value)
        crossed += [
            "{0} is {1:g}, {2} is {3:g}".format(labels, value, key, limit)
            for key, limit in limits.items()
            if limit is not None and (value > limit if key == "max" else value < limit)
        ]
    evidence = {"values": values[:20], "series": len(rows), **limits}
    if crossed:
        return failed(gate, "; ".join(crossed[:5]), **evidence)
    if trouble:
        return unclear(gate, trouble, **evidence)
    return passed(gate, "{0} value(s) within limits, from {1:g} to {2:g}".format(
        len(values), min(values), max(values)), **evidence)  # fmt: skip


def _instant(reply: Any) -> tuple[list[tuple[str, Any]], str]:
    """(labels, point) of each series; and what is wrong with the answer, empty when nothing is."""
    data, trouble = _data(reply)
    if data is None:
        return [], trouble
    kind, result = data.get("resultType"), data.get("result")
    if kind == "scalar":
        return [("the value", result)], ""
    if kind != "vector" or not isinstance(result, list):
        return [], "Prometheus answered a {0}, not a vector or scalar".format(shown(kind))
    if not result:
        return [], "Prometheus has no data for this query"
    if not all(isinstance(row, Mapping) for row in result):
        return [], "Prometheus answered a series that is none"
    return [(shown(row.get("metric")), row.get("value")) for row in result], ""


def _data(reply: Any) -> tuple[Mapping[str, Any] | None, str]:
    if isinstance(reply, str):
        return None, "Prometheus could not be asked: {0}".format(shown(reply))
    if not isinstance(reply, Mapping):
        return None, "Prometheus answered what is not understood: {0}".format(shown(reply))
    if reply.get("status") != "success":
        said = reply.get("error") or "its status is {0}".format(shown(reply.get("status")))
        return None, "Prometheus answered an error: {0}".format(shown(said))
    data = reply.get("data")
    return (data, "") if isinstance(data, Mapping) else (None, "Prometheus answered no data")


def _fresh(point: Any, now_s: float, max_age_s: float) -> tuple[float | None, str]:
    """A point's value, or None and what is wrong with it: [time in s, value as text]."""
    if not isinstance(point, (list, tuple)) or len(point) != 2:
        return None, "Prometheus answered a value that is none: {0}".format(shown(point))
    at, value = as_number(point[0]), as_number(point[1])
    if at is None or value is None:
        return None, "Prometheus answered {0}, which is no number".format(shown(point))
    age = now_s - at
    if not math.fabs(age) <= max_age_s:
        where = "old" if age > 0 else "in the future"
        return None, "the newest value is {0:.0f} s {1}, allowed are {2:g} s".format(math.fabs(age), where, max_age_s)
    return value, ""


def alerts_gate(reply: Any, pool: str) -> Verdict:
    """No alert fires with severity critical and this pool's name. reply: what /api/v1/alerts answered, parsed; or a
    text, the reason why there is none. Alerts without the label `pool` belong to no pool."""
    data, trouble = _data(reply)
    alerts = data.get("alerts") if data is not None else []
    if not isinstance(alerts, list):
        alerts, trouble = [], "Prometheus answered no list of alerts"
    firing = []
    for alert in alerts:
        labels = alert.get("labels") if isinstance(alert, Mapping) else None
        if not isinstance(labels, Mapping) or alert.get("state") not in ("firing", "pending", "inactive"):
            trouble = trouble or "Prometheus answered an alert that is none: {0}".format(shown(alert))
        elif alert["state"] == "firing" and labels.get("severity") == "critical" and labels.get("pool") == pool:
            firing.append(shown(labels.get("alertname", "an alert without a name")))
    names = sorted(set(firing))
    if names:
        return failed("alerts", "critical for pool {0}: {1}".format(pool, ", ".join(names[:10])), firing=names[:50])
    if trouble:
        return unclear("alerts", trouble)
    return passed("alerts", "no critical alert for pool {0}".format(pool), alerts=len(alerts))


def gpu_gate(findings: Any) -> Verdict:
    """No GPU of the batch has a finding of severity `fail`; lesser findings are told and pass."""
    if not isinstance(findings, (list, tuple)):
        return unclear("gpu", "the GPUs could not be read: {0}".format(shown(findings)))
    told: dict[str, list[str]] = {}
    for each in findings:
        severity = each.get("severity") if isinstance(each, Mapping) else None
        told.setdefault(severity if isinstance(severity, str) else "", []).append(shown(each, 200))
    evidence = {"findings": [text for texts in told.values() for text in texts][:50]}
    if "fail" in told:
        return failed("gpu", "; ".join(told["fail"][:5]), **evidence)
    if "" in told:
        return unclear("gpu", "a finding was not understood: {0}".format(told[""][0]), **evidence)
    return passed("gpu", "{0} finding(s), none of them failing".format(len(findings)), **evidence)


def custom_gate(name: str, result: Any) -> Verdict:
    """The operator's own check passed: a command with rc 0, or an answer with a status of 200 to 299."""
    gate = "custom {0}".format(shown(name))
    if not isinstance(result, Mapping) or result.get("unreachable"):
        why = result.get("msg") if isinstance(result, Mapping) else result
        return unclear(gate, "could not be asked: {0}".format(shown(why)))
    told = {key: result[key] for key in ("rc", "status") if result.get(key) is not None}
    msg = shown(result.get("msg") or "no message", 300)
    if not told or not all(_whole(value) for value in told.values()):
        return unclear(gate, "gave neither a whole rc nor a whole status: {0}".format(msg))
    if "status" in told and not 100 <= told["status"] <= 599:
        return unclear(gate, "gave status {0}, which no server answers: {1}".format(told["status"], msg), **told)
    good = told.get("rc", 0) == 0 and 200 <= told.get("status", 200) <= 299
    said = " and ".join("{0} {1}".format(key, value) for key, value in told.items())
    return (passed if good else failed)(gate, "{0}: {1}".format(said, msg), **told)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 2**31

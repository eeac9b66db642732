# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the detectors say, in the text format that Prometheus scrapes (version 0.0.4)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..exposition import escaped
from .models import Features, Limit
from .registry import Known, Registry

PREFIX = "steadfast_anomaly_"
HELP = {
    "consensus": "1 while enough detectors agree that the series is anomalous.",
    "score": "Distance from what a detector expects, 1 at its bound: more than 1 is anomalous.",
    "expected": "What was expected of the series.",
    "lower": "Least value that is not anomalous.",
    "upper": "Greatest value that is not anomalous.",
    "model_ready": "1 when enough was seen to judge the series.",
    "samples_seen": "Samples that were learned.",
    "absent": "1 while a series that was known has no sample.",
    "eta_seconds": "Seconds until the series reaches its limit; +Inf when it does not.",
    "tree_score": "How odd a host's features are together, from 0 (as usual) to 1 (never seen). Advice.",
    "node_rate": "Share of an instance's series that are anomalous.",
    "series_refused": "Series that were not taken in the latest run, because there were too many.",
    "series": "Series that are remembered.",
    "frozen": "1 while nothing is learned.",
    "last_run_timestamp_seconds": "When the latest run ended.",
    "run_seconds": "How long the latest run took.",
    "state_saved_timestamp_seconds": "When what was learned was written down; 0 for never.",
    "query_failures_total": "Queries that had no answer to use, by reason.",
}
# Why a query can have no answer; each is told from the first run on, so that its first increase is one.
REASONS = (
    "unreachable", "timeout", "broken", "status", "too_large", "not_json", "refused", "malformed", "duplicate",
    "internal",
)  # fmt: skip


@dataclass
class Status:
    """How the detector itself is."""

    last_run: float = 0.0
    run_seconds: float = 0.0
    frozen: bool = False
    saved: float = 0.0
    cpu_seconds: float = 0.0
    resident_bytes: float = 0.0
    failures: dict[tuple[str, str], int] = field(default_factory=dict)


def number(value: float) -> str:
    """A value, as the format wants it."""
    if math.isfinite(value):
        return f"{value:.9g}"
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def render(registry: Registry, status: Status) -> bytes:
    """Everything that is exposed. A query without an answer says nothing of its series: unknown is not as before."""
    families: dict[str, list[str]] = {name: [] for name in HELP}
    # Who scrapes the page has limits too. Where there are many series, only the anomalous ones are told in full.
    left, all_of_them = registry.settings.max_detailed, len(registry) <= registry.settings.max_detailed
    for query in registry.settings.queries:
        if query.name not in registry.unanswered:
            for known in registry.series[query.name].values():
                _series(families, known)
                told = known.absent_since is None and query.detail and not isinstance(known.model, Features)
                if told and left > 0 and (all_of_them or known.model.verdict.anomalous):
                    left -= 1
                    _details(families, known)
    for instance, rate in sorted(registry.rates().items()):
        families["node_rate"].append('{instance="' + escaped(instance) + '"} ' + number(rate))
    _status(families, registry, status)
    text = "".join(_family(name, lines) for name, lines in families.items() if lines)
    return (text + _process(status)).encode("utf-8")


def _series(families: dict[str, list[str]], known: Known) -> None:
    where, model = "{" + known.labels, known.model
    families["absent"].append(where + "} " + ("0" if known.absent_since is None else "1"))
    if known.absent_since is not None:
        return
    if isinstance(model, Features):
        families["model_ready"].append(where + "} " + ("0" if model.score is None else "1"))
        if model.score is not None:
            families["tree_score"].append(where + "} " + number(model.score))
        return
    verdict = model.verdict
    families["consensus"].append(where + "} " + ("1" if verdict.anomalous else "0"))
    families["model_ready"].append(where + "} " + ("1" if verdict.ready else "0"))
    if isinstance(model, Limit):
        families["eta_seconds"].append(where + "} " + number(model.eta))


def _details(families: dict[str, list[str]], known: Known) -> None:
    where, model = "{" + known.labels, known.model
    verdict = model.verdict
    families["samples_seen"].append(f"{where}}} {model.seen}")
    for name, score in verdict.scores.items():
        if score.ready:
            families["score"].append(f'{where},detector="{name}"}} {score.score:.6g}')
    best = verdict.best
    if best.ready:
        families["expected"].append(f"{where}}} {best.expected:.9g}")
        families["lower"].append(f"{where}}} {number(best.lower)}")
        families["upper"].append(f"{where}}} {number(best.upper)}")


def _status(families: dict[str, list[str]], registry: Registry, status: Status) -> None:
    for name, value in (
        ("series", float(len(registry))),
        ("frozen", float(status.frozen)),
        ("last_run_timestamp_seconds", status.last_run),
        ("run_seconds", status.run_seconds),
        ("state_saved_timestamp_seconds", status.saved),
    ):
        families[name].append(" " + precise(value))
    for name, count in registry.refused.items():
        families["series_refused"].append(f'{{query="{name}"}} {count}')
    names = [query.name for query in registry.settings.queries] + ["freeze"] * bool(registry.settings.freeze_query)
    for name in names:
        for reason in REASONS:
            where = '{query="' + name + '",reason="' + reason + '"}'
            families["query_failures_total"].append(f"{where} {status.failures.get((name, reason), 0)}")


def precise(value: float) -> str:
    """A time, to the millisecond."""
    return f"{value:.3f}"


def _family(name: str, lines: list[str]) -> str:
    whole, kind = PREFIX + name, "counter" if name.endswith("_total") else "gauge"
    head = "# HELP {0} {1}\n# TYPE {0} {2}\n".format(whole, HELP[name], kind)
    return head + "".join(_lines(whole, lines))


def _lines(name: str, lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield name + line + "\n"


def _process(status: Status) -> str:
    return (
        "# HELP process_cpu_seconds_total Processor time that was used.\n"
        "# TYPE process_cpu_seconds_total counter\n"
        "process_cpu_seconds_total {0}\n"
        "# HELP process_resident_memory_bytes Memory that is used.\n"
        "# TYPE process_resident_memory_bytes gauge\n"
        "process_resident_memory_bytes {1:.0f}\n"
    ).format(precise(status.cpu_seconds), status.resident_bytes)

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's page: a summary in, HTML out. Pure. Everything shown goes through `escape`; nothing is fetched."""

from __future__ import annotations

import time

from .board import duration, mapping, number, sign
from .svg import against, chart, escape, timeline

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #6b7280; --rule: #d0d7de; --good: #12692f;
  --bad: #b42318; --busy: #8a5a00; --fill: #dbe4f0; --c0: #0b5cad; --c1: #b34700; --c2: #12692f; --c3: #8a1f7a;
  --c4: #5a5f00; --c5: #444; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9aa4b0; --rule: #30363d;
  --good: #5bd17f; --bad: #ff8a80; --busy: #f0c05a; --fill: #26364d; --c0: #79b8ff; --c1: #ffab70; --c2: #7ee2a0;
  --c3: #e6a3dc; --c4: #d9dc7a; --c5: #ccc; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid var(--rule); }
.verdict { font-size: 1.2rem; font-weight: 600; border-left: .4rem solid; padding-left: .7rem; }
.good { color: var(--good); } .bad { color: var(--bad); } .busy { color: var(--busy); } .none { color: var(--soft); }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .25rem .6rem;
  border-bottom: 1px solid var(--rule); overflow-wrap: anywhere; } td.word { white-space: nowrap; }
svg { max-width: 100%; height: auto; } pre { overflow-x: auto; border: 1px solid var(--rule); padding: .7rem; }
.label { font-size: 11px; fill: var(--ink); } .inside { font-size: 11px; fill: var(--ink); }
.frame { fill: none; stroke: var(--rule); } .line { fill: none; stroke-width: 1.8; }
.s0 { stroke: var(--c0); } .s1 { stroke: var(--c1); stroke-dasharray: 7 3; } .s2 { stroke: var(--c2);
  stroke-dasharray: 2 3; } .s3 { stroke: var(--c3); stroke-dasharray: 9 3 2 3; } .s4 { stroke: var(--c4);
  stroke-dasharray: 14 4; } .s5 { stroke: var(--c5); stroke-dasharray: 4 4 1 4; }
.phase { fill: var(--fill); stroke: var(--soft); } .p-verified { stroke: var(--good); stroke-width: 2; }
.p-failed, .p-quarantined, .p-reverting, .p-reverted { stroke: var(--bad); stroke-width: 2; }
.bar { fill: var(--fill); stroke: var(--soft); } .bar.over { stroke: var(--bad); stroke-width: 2; }
.limit { stroke: var(--ink); stroke-width: 2; stroke-dasharray: 4 2; }
.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; }
"""
# Gate: (number of its evidence, that number's limit, unit). A limit's name is looked for in the evidence, then in the
# policy; of two names the product counts.
LIMITS = {
    "errors": [("percent", ("max_error_percent",), "%")],
    "latency": [("response_ms", ("peers_response_ms", "max_latency_ratio"), "ms")],
    "load_time": [("seconds", ("budget_s",), "s")],
    "progress": [("longest_stall_s", ("stall_seconds",), "s")],
}
GENERAL = [("value", ("limit",), ""), ("value", ("max",), "")]
TONES = {"succeeded": "good", "pass": "good", "verified": "good", "inconclusive": "busy", "unfinished": "busy"}


def page(told, rates, responses):
    """The whole page.

    Args:
        told: a summary.
        rates: requests and errors a second for each server.
        responses: response times of new servers and peers.
    """
    title = "Rollout of {0} to {1}".format(told["pool"] or "?", told["release"] or "?")
    nodes = {name: [(row["phase"], row["from_s"], row["to_s"]) for row in rows] for name, rows in told["nodes"].items()}
    parts = [
        _header(title, told),
        _section("Nodes", timeline(nodes) + _phases(told["nodes"]) if nodes else ""),
        _section("Requests a second", chart(rates[0], "/s")),
        _section("Errors a second", chart(rates[1], "/s")),
        _section("Response time, new release against its peers", chart(responses, "ms")),
        _section("Traffic in all", _traffic(told["traffic"])),
        *(_section("Batch {0}".format(batch["batch"]), _gates(batch, told["policy"])) for batch in told["batches"]),
        _section("Plan", "<pre>{0}</pre>".format(escape(told["plan"])) if told["plan"] else ""),
        _section("Policy", _table(("Key", "Value"), [(key, shown(value)) for key, value in told["policy"].items()])),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>{0}</title><style>{1}</style></head><body>\n{2}\n</body></html>\n"
    ).format(escape(title), STYLE, "\n".join(parts))


def shown(value):
    """A value of evidence or policy in words."""
    if isinstance(value, dict):
        return ", ".join("{0} {1}".format(key, shown(each)) for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(shown(each) for each in value)
    if isinstance(value, float):
        return "{0:.6g}".format(value)
    return "unknown" if value is None else str(value)


def _header(title, told):
    outcome = told["outcome"]
    facts = [
        ("Run", told["run"]),
        ("Mode", told["mode"]),
        ("Began", _moment(told["began"])),
        ("Took", duration(told["duration_s"])),
        ("Before", ", ".join(sorted({*told["previous"].values()}))),
    ]
    return '<h1>{0}</h1><p class="verdict {1}">{2}</p><p>{3}</p>{4}'.format(
        escape(title),
        TONES.get(outcome, "bad"),
        escape(sign(outcome, False)),
        escape(told["reason"]),
        _table((), facts),
    )


def _section(title, body):
    return "<section><h2>{0}</h2>{1}</section>".format(escape(title), body or '<p class="none">No data.</p>')


def _table(head, rows):
    if not rows:
        return ""
    top = "<tr>{0}</tr>".format("".join("<th>{0}</th>".format(escape(cell)) for cell in head)) if head else ""
    body = "".join("<tr>{0}</tr>".format("".join(_cell(cell) for cell in row)) for row in rows)
    return "<table>{0}{1}</table>".format(top, body)


def _cell(cell):
    """A text; or what is HTML already, as a tuple of it and its class."""
    if isinstance(cell, tuple):
        return '<td class="{1}">{0}</td>'.format(*cell)
    return "<td>{0}</td>".format(escape(cell))


def _word(word):
    return escape(sign(word, False)), "word " + TONES.get(word, "bad")


def _phases(nodes):
    rows = [
        (name, sign(row["phase"], False), row["batch"], duration(row["from_s"]), duration(row["to_s"] - row["from_s"]))
        for name, phases in nodes.items()
        for row in phases
    ]
    return _table(("Node", "Phase", "Batch", "After", "For"), rows)


def _traffic(servers):
    rows = [
        (
            name,
            server["release"] or "unknown",
            "{0:.0f}".format(server["requests"]),
            "{0:.0f}".format(server["errors"]),
            "unknown" if server["response_ms"] is None else "{0:.0f} ms".format(server["response_ms"]),
        )
        for name, server in servers.items()
    ]
    return _table(("Server", "Release", "Requests", "Errors", "Response"), rows)


def _gates(batch, policy):
    lead = "<p>{0}: {1}</p>".format(escape(", ".join(batch["nodes"])), escape(sign(batch["phase"], False)))
    rows = [
        (
            verdict["gate"],
            _word(verdict["verdict"]),
            verdict["reason"],
            (_evidence(verdict["evidence"]) + _plots(verdict, policy), ""),
        )
        for verdict in batch["verdicts"]
    ]
    return lead + _table(("Gate", "Verdict", "Reason", "Evidence"), rows)


def _evidence(evidence):
    return "<br>".join("{0}: {1}".format(escape(key), escape(shown(value))) for key, value in evidence.items())


def _plots(verdict, policy):
    """Small plots of those numbers whose limit is known."""
    evidence = mapping(verdict["evidence"])
    if isinstance(evidence.get("values"), list):
        evidence = {
            "value": max((each for each in map(number, evidence["values"]) if each is not None), default=None),
            **evidence,
        }
    found = []
    for key, factors, unit in LIMITS.get(verdict["gate"], GENERAL):
        value = number(evidence.get(key))
        limits = [number(evidence.get(factor, policy.get(factor))) for factor in factors]
        if value is None or None in limits:
            continue
        limit = 1.0
        for factor in limits:
            limit *= factor
        if 0 <= limit < 1e15 and abs(value) < 1e15:
            found.append(against(value, limit, unit))
    return "<br>" + "".join(found) if found else ""


def _moment(at):
    """A moment in UTC; nothing for what is none."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at)) if at is not None else ""

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout did, read from its events: as data for machines and as one page for people. Pure but for `write`."""

from __future__ import annotations

import json
import os

from . import files
from .board import MAX_NODES, PHASES, Splitter, count, is_event, mapping, names, number, paragraphs, text
from .report_page import page

# Seconds without a sample after which a line is broken: between two bakes nobody looks.
GAP = 15.0
MAX_BATCHES = 1000


def summary(events):
    """What happened, as data that JSON can hold. Never raises, whatever the events are.

    Seconds count from the run's first event, `began` is in epoch seconds, `response_ms` in milliseconds.
    """
    own = _own(events)
    began, ended = (own[0][0], own[-1][0]) if own else (None, None)
    opened = _last(own, "run_opened")
    closed = _last(own, "run_closed")
    return {
        "run": text(own[-1][1]["run"], 80) if own else "",
        "pool": next((text(event.get("pool"), 80) for _at, event in own if event.get("pool")), ""),
        "release": text(opened.get("release"), 80),
        "mode": text(opened.get("mode"), 20),
        "previous": {text(node, 80): text(name, 80) for node, name in mapping(opened.get("previous")).items()},
        "outcome": text(closed.get("outcome"), 20) or "unfinished",
        "reason": text(closed.get("reason"), 4000),
        "began": began,
        "duration_s": ended - began if own else 0.0,
        "batches": _batches(own, opened),
        "nodes": _nodes(own, began or 0.0),
        "traffic": _totals(own),
        "plan": paragraphs(opened.get("plan") if isinstance(opened.get("plan"), str) else "")[:100000],
        "policy": plain(mapping(opened.get("policy"))),
        "events": len(own),
    }


def html(events):
    """One page that needs nothing but itself."""
    events = list(events)
    told = summary(events)
    return page(told, rates(events), responses(events, told["release"]))


def write(events_file, folder):
    """Make report.html and report.json of an events' file. Returns {"html": path, "json": path}; raises OSError."""
    folder = os.path.abspath(os.path.expanduser(folder))
    os.makedirs(folder, mode=0o750, exist_ok=True)
    # Ends what a killed controller left torn, too.
    events = Splitter().feed(files.read_from(os.path.expanduser(events_file)) + b"\n")
    paths = {kind: os.path.join(folder, "report." + kind) for kind in ("html", "json")}
    files.write_whole(paths["html"], html(events), 0o640)
    files.write_whole(paths["json"], json.dumps(summary(events), indent=2, sort_keys=True) + "\n", 0o640)
    return paths


# --- Reading --------------------------------------------------------------------------------------------------------


def _own(events):
    """(time, event) of the last run that was opened. Time never goes back: no bar is shorter than nothing."""
    known = [event for event in events if is_event(event)]
    opened = [event for event in known if event["event"] == "run_opened"] or known
    run = text(opened[-1]["run"], 80) if opened else ""
    found, last = [], None
    for event in known:
        if text(event["run"], 80) == run:
            at = number(event.get("at"))
            at = at if at is not None and 0 <= at <= 1e11 else last or 0.0
            last = at if last is None else max(last, at)
            found.append((last, event))
    return found


def _last(own, kind):
    """The last event of a kind; of a run that was closed and resumed, no longer what closed it."""
    found = {}
    for _at, event in own:
        if event["event"] == kind:
            found = event
        elif event["event"] == "run_opened":
            found = {}
    return found


def plain(value, depth=4):
    """Of anything what JSON can hold, cut where it is deep or long."""
    if isinstance(value, dict):
        return {text(key, 80): plain(each, depth - 1) for key, each in list(value.items())[:200]} if depth else {}
    if isinstance(value, (list, tuple)):
        return [plain(each, depth - 1) for each in value[:200]] if depth else []
    if value is None or isinstance(value, bool):
        return value
    return text(value, 2000) if number(value) is None else value


def _batches(own, opened):
    planned = opened.get("batches") if isinstance(opened.get("batches"), list) else []
    found = {index: _batch(index, names(nodes)) for index, nodes in enumerate(planned[:MAX_BATCHES], 1)}
    for _at, event in own:
        index = count(event.get("batch"), 0)
        if event["event"] not in ("phase", "verdicts") or not (index in found or len(found) < MAX_BATCHES):
            continue
        batch = found.setdefault(index, _batch(index, names(event.get("nodes"))))
        if event["event"] == "phase" and event.get("phase") in PHASES:
            batch["phase"] = event["phase"]
        rows = event.get("verdicts") if isinstance(event.get("verdicts"), list) else []
        for row in rows[:50]:
            verdict = {key: text(mapping(row).get(key), 2000) for key in ("gate", "verdict", "reason")}
            if verdict["gate"]:
                # The last word of each gate counts; those before said how it came to it.
                batch["verdicts"][verdict["gate"]] = {**verdict, "evidence": plain(mapping(row.get("evidence")))}
    return [{**batch, "verdicts": [*batch["verdicts"].values()]} for _index, batch in sorted(found.items())]


def _batch(index, nodes):
    return {"batch": index, "nodes": list(nodes), "phase": "pending", "verdicts": {}}


def _nodes(own, began):
    """{node: its phases in order}, each until the next one or the run's last event."""
    found = {}
    for at, event in own:
        phase = event.get("phase")
        if event["event"] not in ("phase", "waiting") or phase not in PHASES:
            continue
        for name in names(event.get("nodes")):
            if name not in found and len(found) >= MAX_NODES:
                continue
            rows = found.setdefault(name, [])
            if not rows or rows[-1]["phase"] != phase:
                if rows:
                    rows[-1]["to_s"] = at - began
                rows.append({"phase": phase, "batch": count(event.get("batch"), 0), "from_s": at - began})
    for rows in found.values():
        rows[-1]["to_s"] = own[-1][0] - began
    return found


def _servers(event):
    """{server: its totals} of one event: requests, errors, response_ms or None, release."""
    found = {}
    for name, server in list(mapping(event.get("servers")).items())[:MAX_NODES]:
        values = {key: _amount(mapping(server).get(key)) for key in ("requests", "errors", "response_ms")}
        if text(name, 80) and values["requests"] is not None and values["errors"] is not None:
            found[text(name, 80)] = {**values, "release": text(server.get("release"), 80)}
    return found


def _amount(value):
    found = number(value)
    return found if found is not None and 0 <= found <= 1e15 else None


def _looks(own):
    return [(at, _servers(event)) for at, event in own if event["event"] == "traffic"]


def _totals(own):
    found = {}
    for _at, servers in _looks(own):
        found.update(servers)
    return found


def rates(events):
    """(requests a second, errors a second): {server: [(seconds, rate) or None]}, from differences of the totals."""
    own = _own(events)
    requests, errors, last = {}, {}, {}
    for at, servers in _looks(own):
        for name, server in servers.items():
            before, passed = last.get(name, (at, server))[1], at - last.get(name, (at, server))[0]
            for key, series in (("requests", requests), ("errors", errors)):
                points, more = series.setdefault(name, []), server[key] - before[key]
                # Totals that shrink began anew; a long silence was no traffic of that rate.
                points.append((at - own[0][0], more / passed) if 0 < passed <= GAP and more >= 0 else None)
            last[name] = (at, server)
    return requests, errors


def responses(events, release):
    """{"new": points, "peers": points}: mean response in ms of the servers on the new release, and of the others."""
    own = _own(events)
    series = {"new release": [], "peers": []}
    last = None
    for at, servers in _looks(own):
        for side, points in series.items():
            known = [
                server["response_ms"]
                for server in servers.values()
                if server["response_ms"] is not None and (server["release"] == release) == (side == "new release")
            ]
            if last is not None and at - last > GAP:
                points.append(None)
            if known:
                points.append((at - own[0][0], sum(known) / len(known)))
        last = at
    return series

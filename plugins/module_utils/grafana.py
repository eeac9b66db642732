# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The specification of every picture as dashboards of Grafana 10 and 11. Pure."""

from __future__ import annotations

from typing import Any

from .panels import checked

# Grafana 10.3 writes it; newer ones migrate from it.
SCHEMA = 39
TAG = "steadfast"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
TYPES = {"stat": "stat", "bars": "bargauge", "timeseries": "timeseries", "table": "table", "timeline": "state-timeline"}
HEIGHTS = {"stat": 5, "bars": 7, "timeseries": 8, "table": 8, "timeline": 7}
UNITS = {
    "percent": "percentunit",
    "s": "s",
    "moment": "dateTimeFromNow",
    "B": "bytes",
    "B/s": "Bps",
    "req/s": "reqps",
    "tok/s": "suffix: tok/s",
    "/s": "suffix: /s",
    "W": "watt",
    "C": "celsius",
    "count": "short",
    "number": "none",
}
COLOURS = {"good": "green", "calm": "blue", "warn": "yellow", "bad": "red", "none": "#8e8e8e"}
# Grafana's grid has twice as many columns.
SCALE, GRID = 2, 24
MARKER_COLOUR = "purple"


def dashboards(spec: Any) -> list[dict[str, Any]]:
    """One dashboard for each board, ready to be written as a file each. Raises Refused for a wrong specification."""
    found = checked(spec)
    return [_dashboard(board, found) for board in found["boards"]]


def _dashboard(board: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "uid": "{0}-{1}".format(TAG, board["name"]),
        "title": "Steadfast: {0}".format(board["title"]),
        "description": board["about"],
        "tags": [TAG],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_source(), *map(_variable, spec.get("variables") or [])]},
        "annotations": {"list": [_markers(spec["markers"])] if spec.get("markers") else []},
        "links": [
            {
                "type": "dashboards",
                "tags": [TAG],
                "title": "Boards",
                "asDropdown": True,
                "keepTime": True,
                "includeVars": True,
            }
        ],
        "panels": _placed(board["panels"], spec.get("needs") or {}),
    }


def _source() -> dict[str, Any]:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1}


def _variable(variable: dict[str, Any]) -> dict[str, Any]:
    query = "label_values({0}, {1})".format(variable["series"], variable["label"])
    return {
        "name": variable["name"],
        "label": variable["title"],
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": "variable"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def _markers(markers: dict[str, Any]) -> dict[str, Any]:
    """A mark where the metric says it was, not where it was scraped."""
    return {
        "name": markers["title"],
        "datasource": SOURCE,
        "enable": True,
        "iconColor": MARKER_COLOUR,
        "expr": "{0} * 1000".format(markers["ended"]),
        "useValueForTime": True,
        "step": "60s",
        "titleFormat": " ".join("{{{{{0}}}}}".format(label) for label in markers["labels"]),
        "tagKeys": ",".join([*markers["labels"], markers["outcome"]]),
    }


def _placed(panels: list[dict[str, Any]], needs: dict[str, Any]) -> list[dict[str, Any]]:
    """Panels from left to right, in rows as high as the highest in them."""
    done, x, y, row = [], 0, 0, 0
    for number, panel in enumerate(panels, 1):
        width, height = panel["width"] * SCALE, HEIGHTS[panel["kind"]]
        if x + width > GRID:
            x, y, row = 0, y + row, 0
        place = {"x": x, "y": y, "w": width, "h": height}
        done.append({"id": number, "gridPos": place, **_panel(panel, needs)})
        x, row = x + width, max(row, height)
    return done


def _panel(panel: dict[str, Any], needs: dict[str, Any]) -> dict[str, Any]:
    about = panel["help"]
    if panel.get("without"):
        about += " Needs {0}.".format(needs[panel["without"]]["about"])
    return {
        "title": panel["title"],
        "description": about,
        "type": TYPES[panel["kind"]],
        "datasource": SOURCE,
        "targets": [_target(number, query, panel) for number, query in enumerate(panel["queries"])],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel)},
        "options": _options(panel["kind"]),
        "transformations": _transformations(panel) if panel["kind"] == "table" else [],
    }


def _target(number: int, query: dict[str, Any], panel: dict[str, Any]) -> dict[str, Any]:
    over_time = panel["kind"] in ("timeseries", "timeline")
    expr = query["expr"].replace("$window", "$__rate_interval")
    if query.get("unit", panel["unit"]) == "moment":
        # Grafana's moments are milliseconds.
        expr = "({0}) * 1000".format(expr)
    return {
        "refId": _letter(number),
        "datasource": SOURCE,
        "expr": expr,
        "legendFormat": query["legend"] or "__auto",
        "range": over_time,
        "instant": not over_time,
        "format": "table" if panel["kind"] == "table" else "time_series",
    }


def _letter(number: int) -> str:
    return chr(ord("A") + number)


def _defaults(panel: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "unit": UNITS[panel["unit"]],
        "noValue": "no data",
        "thresholds": {"mode": "absolute", "steps": _steps(panel)},
        "color": {"mode": "thresholds" if panel["kind"] not in ("timeseries", "table") else "palette-classic"},
    }
    if "max" in panel:
        found.update({"min": 0, "max": panel["max"]})
    if panel.get("states"):
        found["mappings"] = _mappings(panel["states"])
    if panel["kind"] == "timeseries":
        found["custom"] = {"lineWidth": 1, "fillOpacity": 0, "spanNulls": False, "showPoints": "never"}
    return found


def _steps(panel: dict[str, Any]) -> list[dict[str, Any]]:
    """A value has the colour of the last step that it has reached; the first is for all below."""
    limits = panel.get("thresholds")
    if not limits:
        return [{"color": "text", "value": None}]
    if limits["bad"] < limits["warn"]:
        tones = [("bad", None), ("warn", limits["bad"]), ("good", limits["warn"])]
    else:
        tones = [("good", None), ("warn", limits["warn"]), ("bad", limits["bad"])]
    return [{"color": COLOURS[tone], "value": value} for tone, value in tones]


def _mappings(states: list[Any]) -> list[dict[str, Any]]:
    words = {str(value): {"text": word, "color": COLOURS[tone]} for value, tone, word in states}
    return [{"type": "value", "options": words}]


def _overrides(panel: dict[str, Any]) -> list[dict[str, Any]]:
    """What single queries have of their own."""
    found = []
    for query in panel["queries"]:
        own: list[dict[str, Any]] = [{"id": "unit", "value": UNITS[query["unit"]]}] if "unit" in query else []
        own += [{"id": "mappings", "value": _mappings(query["states"])}] if "states" in query else []
        if own:
            found.append({"matcher": {"id": "byName", "options": query["legend"]}, "properties": own})
    return found


def _options(kind: str) -> dict[str, Any]:
    last = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    every: dict[str, dict[str, Any]] = {
        "stat": {"reduceOptions": last, "colorMode": "value", "graphMode": "none", "textMode": "value_and_name"},
        "bars": {"reduceOptions": last, "orientation": "horizontal", "displayMode": "basic", "showUnfilled": True},
        "timeseries": {
            "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "table": {"showHeader": True, "cellHeight": "sm"},
        "timeline": {"showValue": "auto", "mergeValues": True, "rowHeight": 0.8, "legend": {"showLegend": False}},
    }
    return every[kind]


def _transformations(panel: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each set of labels, one column for each query."""
    alone = len(panel["queries"]) == 1
    values = {"Value" if alone else "Value #" + _letter(n): q["legend"] for n, q in enumerate(panel["queries"])}
    order = {name: place for place, name in enumerate([*panel["columns"], *values])}
    organize = {"excludeByName": {"Time": True}, "renameByName": values, "indexByName": order}
    return [{"id": "merge", "options": {}}, {"id": "organize", "options": organize}]

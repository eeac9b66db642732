# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The specification of every picture: checked, told to the status site, and taken apart for those who test it. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .errors import Refused

KINDS = ("stat", "bars", "timeseries", "table", "timeline")
UNITS = ("percent", "s", "moment", "B", "B/s", "req/s", "tok/s", "/s", "W", "C", "count", "number")
TONES = ("good", "calm", "warn", "bad", "none")
COLUMNS = 12
# key: (must be there, what it is). For each level of the specification.
SPEC = {"needs": (False, dict), "variables": (False, list), "markers": (False, dict), "boards": (True, list)}
NEED = {"about": (True, str), "metrics": (True, str)}
VARIABLE = {"name": (True, str), "title": (True, str), "series": (True, str), "label": (True, str)}
MARKERS = {
    "title": (True, str),
    "labels": (True, list),
    "run": (True, str),
    "outcome": (True, str),
    "began": (True, str),
    "ended": (True, str),
}
BOARD = {"name": (True, str), "title": (True, str), "about": (True, str), "panels": (True, list)}
PANEL = {
    "title": (True, str),
    "kind": (True, str),
    "unit": (True, str),
    "width": (True, int),
    "help": (True, str),
    "queries": (True, list),
    "thresholds": (False, dict),
    "states": (False, list),
    "without": (False, str),
    "max": (False, (int, float)),
    "columns": (False, list),
    "empty": (False, dict),
}
QUERY = {"expr": (True, str), "legend": (True, str), "unit": (False, str), "states": (False, list)}
EMPTY = {"says": (True, str), "proof": (True, str)}
THRESHOLDS = {"warn": (True, (int, float)), "bad": (True, (int, float))}

SLUG = re.compile(r"[a-z][a-z0-9_-]{0,29}")
STRING = re.compile(r"""\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`""")
VARIABLES_IN = re.compile(r"\$(\w+)")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
# A word that is not part of a number, and not called.
WORD = re.compile(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?![\w:])(?!\s*\()")
KEYWORDS = {"and", "or", "unless", "bool", "offset", "group_left", "group_right", "inf", "nan", "atan2"}
PAIRS = {")": "(", "]": "[", "}": "{"}
# The span of a rate, and what a reader may choose, as a test or a person at a prompt would have it.
WINDOW = "window"
SAMPLES = {WINDOW: "5m"}
EVERYTHING = ".*"


def checked(spec: Any) -> dict[str, Any]:
    """The specification as it is. Raises Refused with everything that is wrong, each with its board, panel and key."""
    wrong = list(_spec(spec))
    if wrong:
        raise Refused("the panels cannot be drawn: {0}".format("; ".join(wrong)), reasons=wrong)
    return dict(spec)


def site(spec: Any, interval: float = 15, runbooks: str = "", title: str = "") -> dict[str, Any]:
    """What the status site reads.

    Args:
        spec: the specification.
        interval: between two samples, in seconds; > 0.
        runbooks: what comes before an alert's name: an http address, or a path of the site.
        title: of the page.

    Raises Refused for a specification that is wrong, and for an address that a browser would run as a program.
    """
    found = checked(spec)
    if runbooks and not re.match(r"https?://|(?!//)[\w./#-]+$", runbooks):
        raise Refused("runbooks is {0!r}: give an http address or a path of the site".format(runbooks))
    if math.isnan(interval) or interval <= 0:
        raise Refused("interval is {0!r}: give the seconds between two samples".format(interval))
    given = {"title": title or "Platform status", "interval": interval, "runbooks": runbooks}
    return {**given, **{key: found.get(key) or kind() for key, (_must, kind) in SPEC.items()}}


def expressions(spec: Any, absent: tuple[str, ...] = (), **values: str) -> list[str]:
    """Every expression, each once, with a value in the place of each variable.

    Args:
        spec: the specification.
        absent: names of `needs` that the platform does not have; panels that need them are passed over.
        values: of the variables; by default, what matches everything, and five minutes.
    """
    named = {variable["name"]: EVERYTHING for variable in spec.get("variables") or []}
    filled = {**named, **SAMPLES, **values}
    found = [VARIABLES_IN.sub(lambda match: filled[match[1]], expr) for expr in _expressions(spec, absent)]
    return list(dict.fromkeys(found))


def metrics_named(spec: Any, absent: tuple[str, ...] = ()) -> set[str]:
    """Names of all metrics that the expressions read, but those that only what is `absent` would have."""
    without = [re.compile(spec["needs"][name]["metrics"]) for name in absent]
    found = {name for expr in _expressions(spec, absent) for name in metrics_in(expr)}
    return {name for name in found if not any(pattern.fullmatch(name) for pattern in without)}


def metrics_in(expr: str) -> set[str]:
    """Names of the metrics that a PromQL expression reads."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", STRING.sub('""', expr))
    return set(WORD.findall(GROUPING.sub("", bare))) - KEYWORDS


def panels(spec: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every board and panel."""
    for board in spec["boards"]:
        for panel in board["panels"]:
            yield board, panel


def _expressions(spec: Any, absent: tuple[str, ...]) -> Iterator[str]:
    for _board, panel in panels(spec):
        if panel.get("without") not in absent:
            yield from (query["expr"] for query in panel["queries"])
            yield from ([panel["empty"]["proof"]] if panel.get("empty") else [])
    for key in ("began", "ended"):
        yield from ([spec["markers"][key]] if spec.get("markers") else [])
    yield from (variable["series"] for variable in spec.get("variables") or [])


# --- What is wrong --------------------------------------------------------------------------------------------------


def _spec(spec: Any) -> Iterator[str]:
    faults = list(_keys("the specification", spec, SPEC))
    yield from faults
    if faults:
        return
    for name, need in (spec.get("needs") or {}).items():
        yield from _keys("need {0}".format(name), need, NEED)
    for variable in spec.get("variables") or []:
        yield from _keys("variable {0}".format(_name(variable, "name")), variable, VARIABLE)
    known = {variable["name"] for variable in spec.get("variables") or [] if _name(variable, "name") != "?"} | {WINDOW}
    if spec.get("markers"):
        yield from _keys("markers", spec["markers"], MARKERS)
    names = [_name(board, "name") for board in spec["boards"]]
    yield from ("board {0} is there twice".format(name) for name in sorted(set(names)) if names.count(name) > 1)
    if not spec["boards"]:
        yield "the specification has no board"
    for board in spec["boards"]:
        yield from _board(board, known, set(spec.get("needs") or {}))


def _board(board: Any, known: set[str], needs: set[str]) -> Iterator[str]:
    where = "board {0}".format(_name(board, "name"))
    faults = list(_keys(where, board, BOARD))
    yield from faults
    if faults:
        return
    if not SLUG.fullmatch(board["name"]):
        yield "{0}: name is not made of a-z, 0-9, - and _".format(where)
    if not board["panels"]:
        yield "{0}: has no panel".format(where)
    titles = [_name(panel, "title") for panel in board["panels"]]
    yield from (
        "{0}: {1!r} is there twice".format(where, each) for each in sorted(set(titles)) if titles.count(each) > 1
    )
    for panel in board["panels"]:
        yield from _panel("{0}, panel {1!r}".format(where, _name(panel, "title")), panel, known, needs)


def _panel(where: str, panel: Any, known: set[str], needs: set[str]) -> Iterator[str]:
    faults = list(_keys(where, panel, PANEL))
    yield from faults
    if faults:
        return
    yield from _choice(where, "kind", panel["kind"], KINDS)
    yield from _choice(where, "unit", panel["unit"], UNITS)
    yield from _choice(where, "without", panel.get("without"), (None, *sorted(needs)))
    if not 1 <= panel["width"] <= COLUMNS:
        yield "{0}: width is {1}, but must be 1 to {2}".format(where, panel["width"], COLUMNS)
    if panel["kind"] == "timeline" and not panel.get("states"):
        yield "{0}: a timeline needs states".format(where)
    if panel["kind"] == "table" and not panel.get("columns"):
        yield "{0}: a table needs columns".format(where)
    if not panel["queries"]:
        yield "{0}: has no query".format(where)
    for query in panel["queries"]:
        own = list(_keys(where, query, QUERY))
        faults += own
        yield from own or _query(where, query, known)
    if not faults:
        yield from _tones(where, panel)


def _tones(where: str, panel: Mapping[str, Any]) -> Iterator[str]:
    if panel.get("thresholds"):
        yield from _keys(where + ", thresholds", panel["thresholds"], THRESHOLDS)
    for state in (state for owner in (panel, *panel["queries"]) for state in owner.get("states") or []):
        if not (isinstance(state, list) and len(state) == 3 and isinstance(state[0], int) and state[1] in TONES):
            yield "{0}: state {1!r} is not [number, one of {2}, word]".format(where, state, ", ".join(TONES))
    if panel.get("empty"):
        yield from _keys(where + ", empty", panel["empty"], EMPTY)


def _query(where: str, query: Mapping[str, Any], known: set[str]) -> Iterator[str]:
    expr = query["expr"]
    yield from _choice(where, "unit", query.get("unit"), (None, *UNITS))
    if not expr.strip():
        yield "{0}: expr is empty".format(where)
    if not _balanced(STRING.sub("", expr)):
        yield "{0}: brackets of {1!r} do not match".format(where, expr)
    for name in sorted(set(VARIABLES_IN.findall(expr)) - known):
        yield "{0}: no variable is called {1} (known: {2})".format(where, name, ", ".join(sorted(known)))


def _balanced(text: str) -> bool:
    opened: list[str] = []
    for char in text:
        if char in PAIRS.values():
            opened.append(char)
        elif char in PAIRS and (not opened or opened.pop() != PAIRS[char]):
            return False
    return not opened


def _keys(where: str, given: Any, keys: Mapping[str, tuple[bool, Any]]) -> Iterator[str]:
    if not isinstance(given, dict):
        yield "{0} is {1!r}, but must be a dictionary".format(where, given)
        return
    for key in sorted(set(map(str, given)) - set(keys)):
        yield "{0}: unknown key {1} (known: {2})".format(where, key, ", ".join(keys))
    for key, (must, kind) in keys.items():
        if key not in given:
            yield from (["{0}: {1} is missing".format(where, key)] if must else [])
        elif not isinstance(given[key], kind) or isinstance(given[key], bool):
            yield "{0}: {1} is {2!r}, which is of the wrong type".format(where, key, given[key])


def _choice(where: str, key: str, value: Any, choices: tuple[Any, ...]) -> Iterator[str]:
    if value not in choices:
        words = ", ".join(str(choice) for choice in choices if choice is not None)
        yield "{0}: {1} is {2!r}, but must be one of {3}".format(where, key, value, words)


def _name(given: Any, key: str) -> str:
    return str(given.get(key, "?")) if isinstance(given, dict) else "?"

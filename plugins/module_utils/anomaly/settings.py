# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the anomaly detector is told to do, from JSON. Whatever is wrong with it is said at once, and where."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import Refused

DIRECTIONS = ("up", "down", "both")
KINDS = ("series", "peers", "limit", "features")
# Samples; the longest is a week at five minutes.
SHORTEST_SEASON, LONGEST_SEASON = 4, 2016
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
URL = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[^/?#@:\s\[\]]+)(:(?P<port>\d{1,5}))?(/[^?#\s]*)?\Z")
# Labels that the detector's own metrics give.
TAKEN = {"query", "series", "detector", "reason", "__name__"}


@dataclass(frozen=True)
class Feature:
    """One of a node's features: a query whose answers lie between `low` and `high`."""

    name: str
    query: str
    low: float
    high: float


@dataclass(frozen=True)
class Query:
    """One query and how its series are judged; docs/anomaly-detection.md tells the keys."""

    name: str
    kind: str
    query: str = ""
    labels: tuple[str, ...] = ()
    step: float = 300.0
    period: int = 0
    resolution: float = 1e-9
    counts: bool = False
    detail: bool = True
    group_by: tuple[str, ...] = ()
    limit: float = 0.0
    direction: str = "both"
    past: float | None = None
    horizons: tuple[float, ...] = (14400.0, 86400.0)
    features: tuple[Feature, ...] = ()


@dataclass(frozen=True)
class Settings:
    """All of it; seconds and bytes."""

    urls: tuple[str, ...]
    queries: tuple[Query, ...]
    auth_file: str
    ca_file: str
    listen_address: str
    listen_port: int
    interval: float
    timeout: float
    max_body: int
    max_series: int
    max_detailed: int
    forget_after: float
    gap: float
    state_file: str
    save_every: float
    freeze_query: str
    settle: float


class Reader:
    """A JSON object, key by key. What is wrong is collected, so that the reader of the errors sees all of them."""

    def __init__(self, content: Any, where: str, problems: list[str]) -> None:
        self.where, self.problems = where, problems
        self._left: dict[str, Any] = dict(content) if isinstance(content, Mapping) else {}
        if not isinstance(content, Mapping):
            self.wrong("", "is to be an object")

    def wrong(self, key: str, what: str) -> None:
        """Remember a problem."""
        place = ".".join(part for part in (self.where, key) if part) or "the configuration"
        self.problems.append("{0}: {1}".format(place, what))

    def text(self, key: str, default: str | None = "", pattern: re.Pattern[str] | None = None) -> str:
        """A string; required where there is no default."""
        value = self._left.pop(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            self.wrong(key, "is to be a text" if default is not None else "is required, and to be a text")
        elif pattern is not None and not pattern.match(value):
            self.wrong(key, "{0!r} does not match {1}".format(value[:80], pattern.pattern))
        return value if isinstance(value, str) else ""

    def number(self, key: str, default: float | None, least: float = -1e30, most: float = 1e30) -> float:
        """A number within bounds; required where there is no default."""
        value = self._left.pop(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            self.wrong(key, "is to be a number from {0:g} to {1:g}".format(least, most))
            return default if default is not None else max(least, 0.0)
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self._left.pop(key, default)
        if not isinstance(value, bool):
            self.wrong(key, "is to be true or false")
        return value is True

    def choice(self, key: str, default: str | None, allowed: tuple[str, ...]) -> str:
        """One of these; required where there is no default."""
        value = self._left.pop(key, default)
        if value not in allowed:
            self.wrong(key, "is to be one of {0}".format(", ".join(allowed)))
            return allowed[0]
        return str(value)

    def items(self, key: str, kind: type | tuple[type, ...], default: list[Any] | None = None) -> list[Any]:
        """A list of values of a kind; required where there is no default."""
        value = self._left.pop(key, default)
        if not isinstance(value, list) or not all(isinstance(each, kind) for each in value):
            self.wrong(key, "is to be a list")
            return []
        return value

    def has(self, key: str) -> bool:
        """Whether the key is given and not yet read."""
        return self._left.get(key) is not None

    def done(self) -> None:
        """Whatever was not asked for is a mistake: a key that is spelled wrongly would be silently without effect."""
        for key in sorted(self._left):
            self.wrong(str(key)[:80], "is not known here")


def read(text: str) -> Settings:
    """The settings in a JSON document. Raises Refused, with every problem a line."""
    problems: list[str] = []
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused("the configuration is not JSON: {0}".format(error)) from error
    top = Reader(content, "", problems)
    interval = top.number("interval_seconds", 60, 1, 3600)
    step = max(interval, top.number("step_seconds", 300, 1, 86400))
    found = Settings(
        urls=tuple(top.items("urls", str)),
        queries=_queries(top.items("queries", dict), step, interval, problems),
        auth_file=top.text("basic_auth_file"),
        ca_file=top.text("ca_file"),
        listen_address=top.text("listen_address", "127.0.0.1"),
        listen_port=int(top.number("listen_port", 9120, 0, 65535)),
        interval=interval,
        timeout=top.number("timeout_seconds", 10, 0.1, 300),
        max_body=int(top.number("max_body_bytes", 32 * 1024 * 1024, 1024, 2**30)),
        max_series=int(top.number("max_series", 10000, 1, 1000000)),
        max_detailed=int(top.number("max_detailed_series", 2000, 0, 1000000)),
        forget_after=top.number("forget_after_seconds", 86400, 1),
        gap=top.number("gap_seconds", 21600, 1),
        state_file=top.text("state_file"),
        save_every=top.number("save_seconds", 1800, 1),
        freeze_query=top.text("freeze_query"),
        settle=top.number("settle_seconds", 600, 0, 86400),
    )
    for place, url in enumerate(found.urls):
        match = URL.match(url)
        if not match or not 0 < int(match.group("port") or 80) < 65536:
            top.wrong("urls[{0}]".format(place), "{0!r} is no http address without a password".format(url[:80]))
    if not found.urls:
        top.wrong("urls", "one at least is required")
    top.done()
    if problems:
        raise Refused("\n".join(problems), problems=problems)
    return found


def _queries(entries: list[Any], step: float, interval: float, problems: list[str]) -> tuple[Query, ...]:
    found: list[Query] = []
    for place, entry in enumerate(entries):
        reader = Reader(entry, "queries[{0}]".format(place), problems)
        query = _query(reader, step, interval)
        if query.name in {other.name for other in found}:
            reader.wrong("name", "{0} is there twice".format(query.name))
        found.append(query)
        reader.done()
    return tuple(found)


def _query(reader: Reader, step: float, interval: float) -> Query:
    name, kind = reader.text("name", None, NAME), reader.choice("kind", "series", KINDS)
    step = reader.number("step_seconds", step, 1, 86400)
    if step < interval:
        reader.wrong("step_seconds", "{0:g} is less than interval_seconds ({1:g})".format(step, interval))
    labels, group_by = _labels(reader, "labels"), _labels(reader, "group_by")
    if set(group_by) - set(labels):
        reader.wrong("group_by", "{0} is not among labels".format(", ".join(sorted(set(group_by) - set(labels)))))
    shared: dict[str, Any] = {"name": name, "kind": kind, "step": step, "labels": labels, "group_by": group_by}
    shared["detail"] = reader.flag("detail", True)
    if kind == "features":
        return Query(**shared, features=_features(reader))
    shared["query"] = reader.text("query", None)
    if kind == "limit":
        return _limit(reader, shared)
    shared["resolution"] = reader.number("resolution", 1e-9, 1e-12)
    if kind == "series":
        shared["period"], shared["counts"] = _period(reader, step), reader.flag("counts", False)
        shared["direction"] = reader.choice("direction", "both", DIRECTIONS)
    return Query(**shared)


def _labels(reader: Reader, key: str) -> tuple[str, ...]:
    names = reader.items(key, str, [])
    for name in names:
        if not LABEL.match(name) or name in TAKEN:
            reader.wrong(key, "{0!r} is no label, or one that the detector gives itself".format(name[:80]))
    if len(set(names)) < len(names):
        reader.wrong(key, "a label is there twice")
    return tuple(names)


def _period(reader: Reader, step: float) -> int:
    """Samples in a season."""
    seconds = reader.number("period_seconds", 0, 0, 366 * 86400)
    samples = seconds / step
    if seconds and (abs(samples - round(samples)) > 1e-9 or not SHORTEST_SEASON <= samples <= LONGEST_SEASON):
        told = "{0:g} is to be {1} to {2} times step_seconds ({3:g}), without rest"
        reader.wrong("period_seconds", told.format(seconds, SHORTEST_SEASON, LONGEST_SEASON, step))
        return 0
    return round(samples)


def _limit(reader: Reader, shared: dict[str, Any]) -> Query:
    horizons = reader.items("horizons", (int, float), [14400, 86400])
    if not horizons or any(isinstance(each, bool) or not 0 < each <= 366 * 86400 for each in horizons):
        reader.wrong("horizons", "is to be a list of seconds, one at least")
    return Query(
        **shared,
        limit=reader.number("limit", None),
        direction=reader.choice("direction", "up", DIRECTIONS[:2]),
        past=reader.number("past", None) if reader.has("past") else None,
        horizons=tuple(sorted(float(each) for each in horizons)),
    )


def _features(reader: Reader) -> tuple[Feature, ...]:
    found = []
    for place, entry in enumerate(reader.items("features", dict)):
        inner = Reader(entry, "{0}.features[{1}]".format(reader.where, place), reader.problems)
        low, high = inner.number("low", 0), inner.number("high", 1)
        found.append(Feature(inner.text("name", None, NAME), inner.text("query", None), low, high))
        if not low < high or not math.isfinite(high - low):
            inner.wrong("high", "is to be more than low")
        inner.done()
    if len(found) < 2:
        reader.wrong("features", "two at least: one alone is a series")
    return tuple(found)

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every series that is known: which are there, which have gone, which are too many. Time is seconds since 1970."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from . import answers
from .answers import Sample
from .models import Features, Limit, Model, Peer, Single
from .packing import number
from .peers import compare
from .settings import Query, Settings
from .trees import HalfSpaceTrees

Key = tuple[str, ...]
# None where there is a sample, and no value to use.
Values = dict[Key, Any]


class Known:
    """A series: the values of the labels it is told by, what was learned of it, and since when it is not there."""

    __slots__ = ("absent_since", "key", "labels", "model")

    def __init__(self, key: Key, labels: str, model: Model) -> None:
        self.key, self.labels, self.model = key, labels, model
        self.absent_since: float | None = None


class Registry:
    """All queries' series.

    Args:
        settings: what is asked, and how many series may be remembered.
        draw: random numbers that are the same in every life, for trees.
        render: label names and values as they are exposed; made once a series.
    """

    def __init__(self, settings: Settings, draw: Callable[[], float], render: Callable[[dict[str, str]], str]) -> None:
        self.settings, self._render = settings, render
        self.series: dict[str, dict[Key, Known]] = {query.name: {} for query in settings.queries}
        self.refused: dict[str, int] = {query.name: 0 for query in settings.queries}
        # Those without an answer in the latest run: nothing is known of their series now.
        self.unanswered: set[str] = set()
        # Halves are shared: they are the same numbers each time.
        self._trees = {
            query.name: HalfSpaceTrees(len(query.features), draw)
            for query in settings.queries
            if query.kind == "features"
        }

    def __len__(self) -> int:
        return sum(len(known) for known in self.series.values())

    def take(self, query: Query, samples: Sequence[Sample], now: float, learn: bool) -> int:
        """A query's answer. Returns how many samples their labels do not tell apart."""
        values, twice = by_key(query, samples)
        there = self._there(query, values, now)
        gap = self.settings.gap
        if query.kind == "peers":
            self._compare(query, values, there, now)
        for known in there:
            if isinstance(known.model, Single):
                known.model.see(query, values[known.key], now, learn, gap)
            elif isinstance(known.model, Limit):
                known.model.see(query, values[known.key], now)
        return twice

    def take_features(self, query: Query, columns: Sequence[Sequence[Sample]], now: float, learn: bool) -> int:
        """The answers of a query's features, in their order. Returns how many cannot be told apart."""
        found = [by_key(query, samples) for samples in columns]
        rows: Values = {
            key: [values.get(key) for values, _twice in found] for values, _twice in found for key in values
        }
        for known in self._there(query, rows, now):
            if isinstance(known.model, Features):
                known.model.see(query, rows[known.key], now, learn)
        return sum(twice for _values, twice in found)

    def _there(self, query: Query, values: Values, now: float) -> list[Known]:
        """Those that have a sample; the others are absent, and forgotten after a while."""
        mine = self.series[query.name]
        for key in [key for key in mine if key not in values]:
            known = mine[key]
            known.absent_since = now if known.absent_since is None else min(known.absent_since, now)
            if now - known.absent_since >= self.settings.forget_after:
                del mine[key]
        room = self.settings.max_series - len(self)
        fresh = [key for key in values if key not in mine]
        for key in fresh[: max(0, room)]:
            mine[key] = self._new(query, key)
        self.refused[query.name] = max(0, len(fresh) - max(0, room))
        there = [mine[key] for key in values if key in mine]
        for known in there:
            known.absent_since = None
        self.unanswered.discard(query.name)
        return there

    def _new(self, query: Query, key: Key) -> Known:
        labels = {"query": query.name, **{name: value for name, value in zip(query.labels, key) if value}}
        # All of them in one, for tables of everything that is unusual.
        labels["series"] = " ".join(value for value in key if value)
        return Known(key, self._render(labels), self._model(query))

    def _model(self, query: Query) -> Model:
        if query.kind == "features":
            shape = self._trees[query.name]
            return Features(HalfSpaceTrees(shape.features, float, like=shape))
        return {"peers": Peer, "limit": Limit}[query.kind]() if query.kind != "series" else Single(query)

    def _compare(self, query: Query, values: Values, there: Iterable[Known], now: float) -> None:
        groups: dict[Key, Values] = {}
        places = [query.labels.index(name) for name in query.group_by]
        for known in there:
            group = tuple(known.key[place] for place in places)
            groups.setdefault(group, {})[known.key] = values[known.key]
        scores = {}
        for members in groups.values():
            scores.update(compare(members, resolution=query.resolution))
        for known in there:
            if isinstance(known.model, Peer):
                known.model.hear(query, scores.get(known.key), now)

    def rates(self) -> dict[str, float]:
        """By instance, the share of its series that are anomalous, of those that can be judged or are absent."""
        counts: dict[str, list[int]] = {}
        for query in self.settings.queries:
            if "instance" not in query.labels or query.name in self.unanswered:
                continue
            place = query.labels.index("instance")
            for known in self.series[query.name].values():
                if known.absent_since is None and known.model.verdict.ready and known.key[place]:
                    count = counts.setdefault(known.key[place], [0, 0])
                    count[0] += known.model.verdict.anomalous
                    count[1] += 1
        return {instance: bad / judged for instance, (bad, judged) in counts.items()}

    def dump(self) -> Iterator[list[Any]]:
        """What was learned, a record a series."""
        for query in self.settings.queries:
            for known in list(self.series[query.name].values()):
                yield [query.name, query.kind, list(known.key), known.absent_since, known.model.dump()]

    def load(self, record: Any) -> None:
        """A record of an earlier `dump`; that of a query that is no more is left. Raises ValueError for another."""
        if not isinstance(record, list) or len(record) != 5:
            raise ValueError("a record is no list of five")
        name, kind, key, absent_since, state = record
        texts = isinstance(name, str) and isinstance(key, list) and all(isinstance(each, str) for each in key)
        if not texts or not isinstance(state, dict):
            raise ValueError("a record is not as it is written")
        query = next((each for each in self.settings.queries if each.name == name), None)
        if (
            query is None
            or query.kind != kind
            or len(query.labels) != len(key)
            or len(self) >= self.settings.max_series
        ):
            return
        known = self._new(query, tuple(key))
        known.absent_since = None if absent_since is None else number({"since": absent_since}, "since", 0.0)
        known.model.load(state)
        self.series[name][known.key] = known


def by_key(query: Query, samples: Iterable[Sample]) -> tuple[Values, int]:
    """Values by the labels that are kept. Which of two with the same ones is meant cannot be said: none is known."""
    values: Values = {}
    twice: dict[Key, int] = {}
    for sample in samples:
        key = answers.key(sample.labels, query.labels)
        if key in values:
            twice[key] = twice.get(key, 1) + 1
        values[key] = sample.value
    values.update(dict.fromkeys(twice))
    return values, sum(twice.values())

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One series, all its detectors, and what they agree on. One detector alone is an opinion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from .packing import number as number_of
from .packing import part
from .robust import Robust, Shift
from .score import Score, unready, usable
from .seasonal import HoltWinters, Seasonal

LATEST, ENOUGH = 5, 3
DETECTORS = {"robust", "seasonal", "shift", "smoothed"}
# A detector's share of samples that it insisted on, over so many, that leaves it its vote.
TRUSTED, MEMORY, YOUNG = 0.15, 2016, 288
# Who knows the series best and sees so many bounds needs nobody beside it: the others know less, or take their time.
STRONG = 2.0


class Verdict(NamedTuple):
    """What is said of a series at one sample.

    Args:
        anomalous: whether enough detectors agree.
        votes: names of those that say so.
        scores: every detector's, by name.
        ready: whether any of them can judge.
        agreed: whether they would be enough if it had not gone to nothing.
    """

    anomalous: bool
    votes: tuple[str, ...]
    scores: dict[str, Score]
    ready: bool
    agreed: bool = False

    @property
    def best(self) -> Score:
        """The judgement to draw: of who knows the season, if it is ready, else the last hours or the others."""
        ready = [
            self.scores[name]
            for name in ("seasonal", "robust", "peers")
            if name in self.scores and self.scores[name].ready
        ]
        return ready[0] if ready else unready(math.nan)

    def gone(self, now: bool) -> Verdict:
        """The same between two samples, where only what goes to nothing is looked at."""
        others = tuple(name for name in self.votes if name != "gone")
        return self._replace(anomalous=self.agreed or now, votes=others + (("gone",) if now else ()))


SILENT = Verdict(False, (), {}, False)


class Votes:
    """Who is listened to. One sample is no finding: three of the last five insist.

    Who insists on much of everything has not understood this series, such as one that knows no season where there is
    one: its vote does not count, until it has been quiet again.
    """

    __slots__ = ("_recent", "_share")

    def __init__(self) -> None:
        self._recent: dict[str, int] = {}
        self._share: dict[str, tuple[float, int]] = {}

    def add(self, name: str, score: Score, best: bool = False, learn: bool = True) -> int:
        """One more sample of this detector's: how many votes it has. The best of them may have two, others one."""
        insists = self._insists(name, score.anomalous)
        strong = best and self._insists("strong", score.anomalous and score.score > STRONG)
        share, seen = self._share.get(name, (0.0, 0))
        if score.ready and learn:
            seen = min(seen + 1, MEMORY)
            self._share[name] = share + (insists - share) / seen, seen
        return insists + strong if self.trusted(name) else 0

    def trusted(self, name: str) -> bool:
        """Whether it has been quiet enough."""
        share, seen = self._share.get(name, (0.0, 0))
        return share <= TRUSTED or seen < YOUNG

    def _insists(self, name: str, anomalous: bool) -> bool:
        recent = (self._recent.get(name, 0) << 1 | anomalous) & (2**LATEST - 1)
        self._recent[name] = recent
        return bin(recent).count("1") >= ENOUGH

    def forget(self) -> None:
        """Begin anew with what was lately."""
        self._recent.clear()

    def dump(self) -> dict[str, Any]:
        """Who is trusted, as JSON has it."""
        return {name: list(share) for name, share in self._share.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from an earlier `dump`. Raises ValueError when it is none."""
        for name in DETECTORS & set(state):
            pair = state[name] if isinstance(state[name], list) else []
            share = {"share": pair[0], "seen": pair[1]} if len(pair) == 2 else {}
            self._share[name] = number_of(share, "share", 0.0, 1.0), int(number_of(share, "seen", 0, MEMORY))


def _squared(score: Score) -> Score:
    """A root's judgement, in the unit of what it is the root of."""
    expected, lower, upper = (max(0.0, each) ** 2 for each in (score.expected, score.lower, score.upper))
    return score._replace(expected=expected, lower=lower, upper=upper)


class Series:
    """Everything that is known of one series.

    Args:
        period: samples in a day, or another season; 0 for a series that has none.
        resolution: least difference that means something, in the value's unit.
        quorum: detectors that have to agree, of those that can judge.
        counts: whether it counts things, such as waiting requests, whose spread grows with their number; their roots
            are judged, so that it does not.
        direction: "up" where only more than expected is a fault, "down" where less is, or "both".
    """

    __slots__ = ("_votes", "counts", "direction", "quorum", "robust", "seasonal", "seen", "shift", "smoothed")

    def __init__(
        self,
        period: int = 0,
        resolution: float = 1e-9,
        quorum: int = 2,
        counts: bool = False,
        direction: str = "both",
    ) -> None:
        self.quorum, self.counts, self.direction = quorum, counts, direction
        # The root of a Poisson number has this deviation, whatever its mean.
        resolution = max(resolution, 0.5) if counts else resolution
        self.robust = Robust(resolution=resolution)
        self.shift = Shift(self.robust)
        self.seasonal = Seasonal(period, residuals=Robust(resolution=resolution)) if period else None
        self.smoothed = HoltWinters(period, resolution=resolution) if period else None
        self._votes = Votes()
        self.seen = 0

    def observe(self, value: float | None, number: int, learn: bool = True) -> Verdict:
        """Judge the sample of this number; learn from it unless a rollout or an operator says otherwise."""
        if value is None or not usable(value):
            return SILENT
        value = math.sqrt(max(0.0, value)) if self.counts else value
        scores = {"shift": self.shift.observe(value)}
        gone = self.gone(value)
        scores["robust"] = self.robust.observe(value, learn)
        if self.seasonal and self.smoothed:
            scores["seasonal"] = self.seasonal.observe(value, number, learn)
            scores["smoothed"] = self.smoothed.observe(value, number, learn)
        self.seen += learn
        best = "seasonal" if self.seasonal else "robust"
        heard = {name: self._heard(score, value) for name, score in scores.items()}
        votes = {name: self._votes.add(name, score, name == best, learn) for name, score in heard.items()}
        able = sum(score.ready and self._votes.trusted(name) for name, score in scores.items())
        agreed = sum(votes.values()) >= max(1, min(self.quorum, able))
        said = tuple(sorted(name for name, count in votes.items() if count))
        told = {name: _squared(score) for name, score in scores.items()} if self.counts else scores
        ready = any(score.ready for score in scores.values())
        return Verdict(agreed or gone, said + (("gone",) if gone else ()), told, ready, agreed)

    def _heard(self, score: Score, value: float) -> Score:
        """What counts of a judgement: nothing, where the value is off to the harmless side."""
        harmless = {"up": value < score.expected, "down": value > score.expected}
        return score._replace(score=0.0) if harmless.get(self.direction) else score

    def gone(self, value: float) -> bool:
        """Whether it went to nothing at once. That is what an outage looks like; no spread makes it normal."""
        window = self.robust.window
        return self.direction != "up" and value == 0 and len(window) >= self.robust.least and window.least() > 0

    def forget_the_last_hours(self) -> None:
        """After a gap of hours: the season is known, the level is not."""
        self.robust.window.forget()
        self.shift.forget()
        self._votes.forget()
        if self.smoothed:
            self.smoothed.forget()

    def dump(self) -> dict[str, Any]:
        """What it has learned, as JSON has it."""
        state: dict[str, Any] = {"robust": self.robust.dump(), "shift": self.shift.dump(), "seen": self.seen}
        state["votes"] = self._votes.dump()
        if self.seasonal and self.smoothed:
            state.update(seasonal=self.seasonal.dump(), smoothed=self.smoothed.dump())
        return state

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from an earlier `dump`. Raises ValueError when it is none."""
        self.robust.load(part(state, "robust"))
        self.shift.load(part(state, "shift"))
        self._votes.load(part(state, "votes"))
        self.seen = int(number_of(state, "seen", 0, 1e15))
        if self.seasonal and self.smoothed:
            self.seasonal.load(part(state, "seasonal"))
            self.smoothed.load(part(state, "smoothed"))

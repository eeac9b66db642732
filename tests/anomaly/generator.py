# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Series as a platform has them, with things that go wrong at known times. The same seed gives the same series.

A sample every five minutes. None is a missing sample. A counter's reset is never negative, as rate() has it: what was
counted between the last look and the reset is lost, so that one sample is too small, or missing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

DAY = 288
DAYS = 14
# Nothing goes wrong before: detectors may learn.
CALM_DAYS = 6


@dataclass(frozen=True)
class Event:
    """Something that goes wrong, from sample `start` to before sample `end`."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class Labelled:
    """A series, what kind it is, and what goes wrong in it."""

    kind: str
    values: list[float | None]
    events: list[Event]


def _season(number: int, depth: float, phase: float) -> float:
    return 1 + depth * math.sin(2 * math.pi * (number / DAY + phase))


def rate(chance: random.Random) -> list[float]:
    """Requests a second: a day's curve, quieter at weekends."""
    level, depth, phase = chance.uniform(20, 400), chance.uniform(0.3, 0.7), chance.random()
    return [
        max(0.0, level * _season(number, depth, phase) * (0.8 if number // DAY % 7 > 4 else 1) * chance.gauss(1, 0.05))
        for number in range(DAY * DAYS)
    ]


def latency(chance: random.Random) -> list[float]:
    """Seconds at the 95th percentile: skewed, a little higher when it is busy."""
    level, phase = chance.uniform(0.2, 3), chance.random()
    return [level * _season(number, 0.1, phase) * chance.lognormvariate(0, 0.08) for number in range(DAY * DAYS)]


def temperature(chance: random.Random) -> list[float]:
    """Degrees of a GPU: follows its load, slowly."""
    rest, swing, phase, now = chance.uniform(38, 48), chance.uniform(12, 25), chance.random(), 0.0
    found = []
    for number in range(DAY * DAYS):
        load = max(0.0, min(1.0, 0.5 * _season(number, 0.6, phase) + chance.gauss(0, 0.05)))
        now += 0.3 * (load - now)
        found.append(rest + swing * now + chance.gauss(0, 0.4))
    return found


def memory(chance: random.Random) -> list[float]:
    """Fraction that is used: nearly constant."""
    level, now = chance.uniform(0.4, 0.8), 0.0
    found = []
    for _number in range(DAY * DAYS):
        now = 0.95 * now + chance.gauss(0, 0.002)
        found.append(level + now)
    return found


def queue(chance: random.Random) -> list[float]:
    """Requests that wait: mostly none, sometimes a few."""
    level, phase = chance.uniform(0.5, 4), chance.random()
    return [float(_poisson(chance, level * _season(number, 0.5, phase))) for number in range(DAY * DAYS)]


def _poisson(chance: random.Random, mean: float) -> int:
    limit, count, product = math.exp(-mean), 0, chance.random()
    while product > limit:
        count += 1
        product *= chance.random()
    return count


def training(chance: random.Random) -> list[float]:
    """Percent of a GPU that trains: nearly all of it, less while a checkpoint is written, which no clock decides."""
    level, every, depth = chance.uniform(90, 98), chance.randint(7, 24), chance.uniform(0.2, 0.6)
    found, next_one = [], chance.randrange(every)
    for number in range(DAY * DAYS):
        value = min(100.0, level + chance.gauss(0, 0.6))
        if number == next_one:
            value *= 1 - depth * chance.uniform(0.7, 1)
            next_one += every + chance.choice((-1, 0, 0, 1))
        found.append(value)
    return found


def batch(chance: random.Random) -> list[float]:
    """Percent of a GPU that works through the day's heap once a day: by the clock, and as long as it takes."""
    begin, usual, busy, idle = (
        chance.randrange(DAY),
        chance.randint(50, 110),
        chance.uniform(70, 95),
        chance.uniform(1, 6),
    )
    found = [max(0.2, idle + chance.gauss(0, 0.4)) for _number in range(DAY * DAYS)]
    for day in range(-1, DAYS):
        start = day * DAY + begin + chance.randint(0, 1)
        for number in range(max(0, start), min(DAY * DAYS, start + round(usual * chance.gauss(1, 0.03)))):
            found[number] = min(100.0, busy + chance.gauss(0, 2))
    return found


KINDS: dict[str, Callable[[random.Random], list[float]]] = {
    "rate": rate,
    "latency": latency,
    "temperature": temperature,
    "memory": memory,
    "queue": queue,
    "training": training,
    "batch": batch,
}
# What goes wrong, and with which series: a temperature does not fall to nothing.
FAULTS: dict[str, tuple[str, ...]] = {
    "rate": ("spike", "shift", "zero", "drift"),
    "latency": ("spike", "shift", "drift"),
    "temperature": ("spike", "shift", "drift"),
    "memory": ("spike", "shift", "drift"),
    "queue": ("spike", "shift"),
    "training": ("shift", "zero"),
    "batch": ("missed", "shift"),
}
# Where mostly nobody waits, fewer is no fault; more than all of a GPU there cannot be.
ONLY_UP, ONLY_DOWN, PERCENT = {"queue", "batch"}, {"training"}, {"training", "batch"}


def _spread(values: list[float]) -> float:
    """How far a sample is from the one before, in the middle of all."""
    steps = sorted(abs(late - early) for early, late in zip(values, values[1:]))
    return max(steps[len(steps) // 2], 1e-3 * max(values))


def _apply(chance: random.Random, values: list[float], event: Event, direction: int) -> None:
    size = _spread(values) * chance.uniform(8, 20) + 0.2 * (max(values) - min(values))
    sign = direction or (1 if event.kind == "drift" or chance.random() < 0.7 else -1)
    for number in range(event.start, event.end):
        if event.kind == "zero":
            values[number] = 0.0
        elif event.kind == "missed":
            values[number] = values[event.start - 1] * chance.uniform(0.9, 1.1)
        elif event.kind == "drift":
            values[number] += size * 1.5 * (number - event.start) / (event.end - event.start)
        else:
            values[number] = max(0.0, values[number] + sign * size)


def _busy(values: list[float], start: int) -> tuple[int, int]:
    """The first stretch of work that begins after this sample."""
    middle = (max(values) + min(values)) / 2
    while values[start] > middle:
        start += 1
    while values[start] <= middle:
        start += 1
    end = start
    while end < len(values) and values[end] > middle:
        end += 1
    return start, end


def _resets(chance: random.Random, series: list[float | None], events: list[Event]) -> None:
    """Up to six restarts of what counts, that nobody is to hear of."""
    for _each in range(chance.randint(0, 6)):
        number, kept = chance.randrange(len(series)), chance.uniform(0, 1)
        value = series[number]
        if value is not None and not any(event.start - 12 < number < event.end + 12 for event in events):
            series[number] = kept * value if kept > 0.2 else None


LENGTH = {"spike": (4, 8), "shift": (36, 96), "zero": (3, 24), "drift": (96, 144), "missed": (0, 0)}


def make(seed: int, faults: int = 3) -> Labelled:
    """The series of a seed, with so many things that go wrong, a day apart from each other at least."""
    chance = random.Random(seed)
    kind = sorted(KINDS)[seed % len(KINDS)]
    values = KINDS[kind](chance)
    events = []
    days = sorted(chance.sample(range(CALM_DAYS, DAYS - 1, 2), min(faults, 4)))
    for day in days:
        fault = chance.choice(FAULTS[kind])
        start = day * DAY + chance.randrange(DAY // 2)
        end = start + chance.randint(*LENGTH[fault])
        if fault == "missed":
            start, end = _busy(values, day * DAY)
        events.append(Event(fault, start, end))
        _apply(chance, values, events[-1], (kind in ONLY_UP) - (kind in ONLY_DOWN))
    most = 100.0 if kind in PERCENT else math.inf
    series: list[float | None] = [min(most, value) for value in values]
    for _each in range(chance.randint(0, 3)):
        gap = chance.randrange(len(series) - 12)
        if not any(event.start - 12 < gap < event.end for event in events):
            missing = chance.randint(1, 12)
            series[gap : gap + missing] = [None] * missing
    if kind == "rate":
        _resets(chance, series, events)
    return Labelled(kind, series, events)

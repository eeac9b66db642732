# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters and slowdowns over time.

What a counter shows says little: it may have stood there for a year. What counts is that it grew. A counter that is
lower than before was reset, which is no growth; what was told of it is then settled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .expect import LIMITS, Limits
from .records import Gpu

MAX_GPUS, MAX_TIMES = 64, 1000
SRAM, DRAM = "volatile sram uncorrected", "volatile dram uncorrected"
SRAM_CORRECTED, DRAM_CORRECTED = "volatile sram corrected", "volatile dram corrected"
ROWS, REPLAYS = "remapped rows uncorrected", "pcie replays"
# Since the driver was loaded: what they show at the first look has grown from zero. The others count a GPU's life.
FROM_ZERO = {SRAM, DRAM, SRAM_CORRECTED, DRAM_CORRECTED}


@dataclass(frozen=True)
class Grown:
    """By how much a counter has grown, when it last did, and how fast then (None: not known)."""

    by: int
    at: float
    per_minute: float | None = None


@dataclass(frozen=True)
class History:
    """What is remembered of one GPU."""

    at: float = 0.0
    counters: Mapping[str, int] = field(default_factory=dict)
    grown: Mapping[str, Grown] = field(default_factory=dict)
    slowed: tuple[float, ...] = ()


def counters(gpu: Gpu) -> dict[str, int]:
    """The counters that are known."""
    values = {
        SRAM: gpu.volatile.sram_uncorrected,
        DRAM: gpu.volatile.dram_uncorrected,
        SRAM_CORRECTED: gpu.volatile.sram_corrected,
        DRAM_CORRECTED: gpu.volatile.dram_corrected,
        ROWS: gpu.remap_uncorrected,
        REPLAYS: gpu.pcie_replays,
    }
    return {name: value for name, value in values.items() if value is not None}


def follow(gpu: Gpu, before: History | None, now: float, limits: Limits = LIMITS) -> History:
    """What is known after this look. A counter that cannot be read now is remembered as it was."""
    known = counters(gpu)
    old = before or History()
    grown = {name: one for name, one in old.grown.items() if 0 <= now - one.at <= limits.hold_s}
    for name, value in known.items():
        last = old.counters.get(name, 0 if name in FROM_ZERO else value)
        if value < last:
            grown.pop(name, None)
        elif value > last:
            minutes = (now - old.at) / 60 if name in old.counters else 0
            earlier = grown[name].by if name in grown else 0
            grown[name] = Grown(earlier + value - last, now, (value - last) / minutes if minutes > 0 else None)
    return History(now, {**old.counters, **known}, grown, _slowed(gpu, old, now, limits))


def _slowed(gpu: Gpu, old: History, now: float, limits: Limits) -> tuple[float, ...]:
    """Times of looks at which the hardware held the clocks back; one a minute counts, however often one looks."""
    recent = [at for at in old.slowed if 0 <= now - at <= limits.slowdown_window_s]
    active = bool(gpu.throttle and any(reason.startswith("hw_") for reason in gpu.throttle))
    if active and not any(now - at < 59 for at in recent):
        recent.append(now)
    return tuple(recent[-MAX_TIMES:])


def remember(histories: Mapping[str, History]) -> dict[str, Any]:
    """As data that can be written down."""
    return {
        uuid: {
            "at": one.at,
            "counters": dict(one.counters),
            "grown": {name: [each.by, each.at, each.per_minute] for name, each in one.grown.items()},
            "slowed": list(one.slowed),
        }
        for uuid, one in list(histories.items())[:MAX_GPUS]
    }


def recall(said: Any) -> dict[str, History]:
    """What was written down. What is not understood was not written by us, and is forgotten."""
    found = {}
    for uuid, one in list(said.items())[:MAX_GPUS] if isinstance(said, dict) else ():
        try:
            found[str(uuid)] = History(
                at=_time(one["at"]),
                counters={str(name): int(value) for name, value in one["counters"].items()},
                grown={str(name): _grown(each) for name, each in one["grown"].items()},
                slowed=tuple(_time(at) for at in one["slowed"])[-MAX_TIMES:],
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            continue
    return found


def _time(said: Any) -> float:
    value = float(said)
    if not math.isfinite(value):
        raise ValueError("no time: {0}".format(value))
    return value


def _grown(said: Any) -> Grown:
    by, at, per_minute = said
    return Grown(int(by), _time(at), None if per_minute is None else _time(per_minute))

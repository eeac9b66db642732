# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How careful a rollout is: the policy's keys, their defaults, and what may be said. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import Refused

# key: (default, least, most). Seconds, percent or plain numbers, as docs/rollout.md says.
NUMBERS: dict[str, tuple[float, float, float]] = {
    "bake_time": (30, 0, 86400),
    "max_bake_time": (300, 0, 86400),
    "drain_deadline": (300, 0, 86400),
    "healthy_deadline": (120, 1, 86400),
    "progress_deadline": (3600, 1, 604800),
    "capacity_deadline": (60, 0, 86400),
    "lease_ttl": (60, 10, 3600),
    "load_time_factor": (3, 1, 100),
    "stall_seconds": (15, 1, 3600),
    "synthetic_requests": (0, 0, 1000),
    "min_requests": (300, 0, 1000000),
    "max_error_percent": (1.0, 0, 100),
    "max_latency_ratio": (1.5, 1, 1000),
    "latency_floor_ms": (20, 0, 3600000),
    "error_budget_percent": (0.5, 0, 100),
    "error_budget_min": (10, 0, 1000000),
    "prometheus_max_age": (60, 1, 86400),
}
CHOICES: dict[str, tuple[str, ...]] = {
    "on_failure": ("revert_batch", "revert_all", "stop"),
    "on_drain_deadline": ("fail", "continue"),
}
# Counts, or shares of the pool as "25%".
COUNTS: dict[str, Any] = {"canary": 1, "max_parallel": 1, "min_available": None}
# Lists, and what is in them.
LISTS: dict[str, type] = {
    "ramp": object,
    "balancers_excluded": str,
    "nodes_excluded": str,
    "ledger_excluded": str,
    "prometheus_queries": dict,
    "custom_gates": dict,
}
TEXTS = ("failure_domain_key", "prometheus_url", "prometheus_alerts_pool")
FLAGS = ("admit_drained",)


@dataclass(frozen=True)
class Policy:
    """A policy that has been checked, with counts for one pool. `values` holds every other key."""

    canary: int = 1
    max_parallel: int = 1
    min_available: int = 1
    ramp: tuple[int, ...] = (100,)
    values: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Every key with the value that counts."""
        counts = {"canary": self.canary, "max_parallel": self.max_parallel, "min_available": self.min_available}
        return {**self.values, **counts, "ramp": list(self.ramp)}


KNOWN = frozenset((*NUMBERS, *CHOICES, *COUNTS, *LISTS, *TEXTS, *FLAGS))


def rollout_policy(declared: Mapping[str, Any] | None, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the inventory declares, with what was asked for one run in its place. `asked` may hold anything else too."""
    return {**(declared or {}), **{key: asked[key] for key in sorted(KNOWN) if key in asked}}


def settle(given: Mapping[str, Any], size: int) -> Policy:
    """Check a policy for a pool of `size` servers, the excluded ones too, and fill in what was not said.

    Raises Refused with everything that is wrong: unknown keys, wrong types, values out of range. Nothing was changed.
    """
    wrong: list[str] = []
    strange = sorted(str(key) for key in set(given) - KNOWN)
    if strange:
        wrong.append("unknown key {0} (known: {1})".format(", ".join(strange), ", ".join(sorted(KNOWN))))
    said = {key: value for key, value in given.items() if value is not None and value != ""}
    values: dict[str, Any] = {}
    for key, (default, least, most) in NUMBERS.items():
        values[key] = _number(key, said.get(key, default), least, most, wrong)
    for key, choices in CHOICES.items():
        values[key] = said.get(key, choices[0])
        if values[key] not in choices:
            wrong.append("{0} is {1!r}, but must be one of {2}".format(key, values[key], ", ".join(choices)))
    for key in LISTS:
        values[key] = _listed(key, said.get(key, []), wrong)
    values.update({key: str(said.get(key, "")) for key in TEXTS})
    values.update({key: str(said.get(key, False)).lower() in ("true", "yes", "1", "on") for key in FLAGS})
    values["max_bake_time"] = max(values["max_bake_time"], values["bake_time"])
    ramp = _ramp(values.pop("ramp"), wrong)
    size = max(0, size - len(set(values["nodes_excluded"])))
    counts = {key: _count(key, said.get(key, default), size, wrong) for key, default in COUNTS.items()}
    if wrong:
        raise Refused("the rollout was not begun: {0}. Nothing was changed.".format("; ".join(wrong)), reasons=wrong)
    parallel = counts["max_parallel"] or 1
    floor = counts["min_available"]
    return Policy(
        canary=min(counts["canary"] or 1, parallel),
        max_parallel=parallel,
        min_available=max(1, size - parallel) if floor is None else floor,
        ramp=ramp,
        values=values,
    )


def _number(key: str, value: Any, least: float, most: float, wrong: list[str]) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not least <= number <= most:
        wrong.append("{0} is {1!r}, but must be a number from {2:g} to {3:g}".format(key, value, least, most))
        return least
    return number


def _listed(key: str, value: Any, wrong: list[str]) -> list[Any]:
    kind = LISTS[key]
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, (list, tuple)):
        wrong.append("{0} is {1!r}, but must be a list".format(key, value))
        return []
    strange = [part for part in value if not isinstance(part, kind)]
    if strange:
        what = "names" if kind is str else "mappings"
        wrong.append("{0} holds {1!r}, but must be a list of {2}".format(key, strange[0], what))
        return []
    return list(value)


def _ramp(steps: list[Any], wrong: list[str]) -> tuple[int, ...]:
    """Shares of a server's weight, in percent, rising; the last is 100 whatever was said."""
    try:
        ramp = [int(str(step).rstrip("%")) for step in steps]
    except ValueError:
        ramp = [0]
    if any(not 1 <= step <= 100 for step in ramp) or sorted(ramp) != ramp:
        wrong.append("ramp is {0!r}, but must be rising percentages such as [25, 50, 100]".format(steps))
    return tuple(ramp if ramp and ramp[-1] == 100 else [*ramp, 100])


def _count(key: str, value: Any, size: int, wrong: list[str]) -> int | None:
    """A count, or a share of the pool: the floor rounds up and what may be out rounds down, but never to nothing."""
    if value is None:
        return None
    text = str(value).strip()
    least = 0 if key == "min_available" else 1
    try:
        if text.endswith("%"):
            share = float(text[:-1]) / 100
            if not 0 <= share <= 1:
                raise ValueError(text)
            return math.ceil(share * size) if key == "min_available" else max(1, math.floor(share * size))
        number = int(text)
        if number < least:
            raise ValueError(text)
        return number
    except ValueError:
        wrong.append("{0} is {1!r}, but must be a count from {2} or a share such as '25%'".format(key, value, least))
        return least

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gate's verdict, the limits that gates judge by, and the sum of several verdicts. Pure.

The gates themselves: traffic_gates.py judges what balancers counted, metric_gates.py what everything else says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from ..errors import Refused


@dataclass(frozen=True)
class Verdict:
    """What one gate found: `pass`, `fail` or `inconclusive`, why in words, and the numbers it used."""

    gate: str
    verdict: Literal["pass", "fail", "inconclusive"]
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As journal and report take it."""
        return asdict(self)


def passed(gate: str, reason: str, **evidence: Any) -> Verdict:
    """The gate looked and found nothing wrong."""
    return Verdict(gate, "pass", reason, evidence)


def failed(gate: str, reason: str, **evidence: Any) -> Verdict:
    """The gate found something wrong."""
    return Verdict(gate, "fail", reason, evidence)


def unclear(gate: str, reason: str, **evidence: Any) -> Verdict:
    """The gate could not tell: the bake goes on, and past its deadline fails."""
    return Verdict(gate, "inconclusive", reason, evidence)


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict out of all: the worst, led by the first reason for it. No verdict at all is inconclusive."""
    found = list(verdicts)
    evidence = {"gates": [verdict.to_dict() for verdict in found]}
    for worst in ("fail", "inconclusive"):
        reasons = ["{0}: {1}".format(each.gate, each.reason) for each in found if each.verdict == worst]
        if reasons:
            return (failed if worst == "fail" else unclear)("overall", "; ".join(reasons), **evidence)
    if not found:
        return unclear("overall", "no gate was asked", **evidence)
    return passed("overall", "{0} gate(s) passed".format(len(found)), **evidence)


@dataclass(frozen=True)
class Limits:
    """What the traffic gates allow. The defaults' sources, where not our own choice:

    alpha: a bake is judged about 15 times, so each look may err once in a thousand. min_requests: rule of three, no
    error in 300 requests shows less than 1 %. max_error_percent: the Google SRE workbook's canaries.
    """

    alpha: float = 0.001
    confidence: float = 0.95
    excess_percent: float = 0.5
    max_error_percent: float = 1.0
    min_requests: int = 300
    max_latency_ratio: float = 1.5
    latency_floor_ms: float = 20.0
    error_budget_min: int = 10
    error_budget_percent: float = 0.5

    @classmethod
    def of(cls, policy: Mapping[str, Any]) -> Limits:
        """Pick those that the policy names; None means not given.

        Raises Refused for what is no number or out of range; the message names key, value and what is allowed.
        """
        given = {each.name: policy[each.name] for each in fields(cls) if policy.get(each.name) is not None}
        return cls(**{name: _limit(name, value) for name, value in given.items()})


# Key: smallest and largest value, both allowed. Whole numbers where the ends are.
RANGES: dict[str, tuple[float, float]] = {
    "alpha": (1e-9, 0.1),
    "confidence": (0.5, 0.999999),
    "excess_percent": (0.0, 100.0),
    "max_error_percent": (0.0, 100.0),
    "min_requests": (0, 1_000_000),
    "max_latency_ratio": (1.0, 1000.0),
    "latency_floor_ms": (0.0, 3_600_000.0),
    "error_budget_min": (0, 1_000_000),
    "error_budget_percent": (0.0, 100.0),
}


def _limit(name: str, value: Any) -> Any:
    low, high = RANGES[name]
    whole = isinstance(low, int)
    number = as_number(value)
    if number is None or not low <= number <= high or (whole and number != int(number)):
        raise Refused(
            "{0} is {1}, but must be a {2} from {3:g} to {4:g}".format(
                name, shown(value), "whole number" if whole else "number", low, high
            )
        )
    return int(number) if whole else number


def as_number(value: Any) -> float | None:
    """A finite number, also one written as text; None for anything else. Never raises, whatever it is given."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and (len(value) > 64 or "_" in value):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def shown(value: Any, length: int = 120) -> str:
    """A foreign value as one printable line, cut to length. Never raises."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, or a list in a list without end
        text = "something unprintable"
    return "".join(letter if letter.isprintable() else " " for letter in text[:length]).strip() or "nothing"

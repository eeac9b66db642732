# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What repair is allowed: for each alert its actions, and the limits of all. Pure.

The document is a mapping (YAML or JSON) with `dry_run`, `limits`, `pools`, `actions` and `alerts`; docs/guard.md has an
example, each limit's default and where it comes from.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import Refused
from .reading import Reader

WEEK = 604800
# key: (default, least, most). Seconds, percent, or plain counts. Where no more than a default is allowed by much, that
# is on purpose: a brake that can be set to nothing is none.
LIMITS: dict[str, tuple[float, float, float]] = {
    "max_concurrent": (1, 1, 100),
    "max_concurrent_percent": (10, 1, 50),
    "rate": (3, 0, 60),
    "rate_window": (3600, 60, WEEK),
    "cooldown": (1800, 0, WEEK),
    "attempts": (2, 1, 10),
    "attempts_window": (86400, 3600, WEEK),
    "breaker_percent": (20, 1, 50),
    "breaker_hosts": (2, 2, 1000),
    "breaker_window": (600, 60, WEEK),
    "breaker_failures": (3, 1, 10),
    "breaker_burn": (14.4, 1, 100),
    "scrape_interval": (15, 1, 300),
    "max_age_scrapes": (2, 1, 10),
    "patience": (300, 0, 86400),
    "signals": (1, 1, 10),
    "signals_destructive": (2, 2, 10),
    "domain_hosts": (2, 2, 1000),
    "domain_window": (600, 60, WEEK),
    "approval_ttl": (3600, 60, WEEK),
    "permit_ttl": (60, 5, 600),
}
WHOLE = frozenset(
    (
        *("max_concurrent", "rate", "attempts", "breaker_hosts", "breaker_failures", "domain_hosts"),
        *("max_age_scrapes", "signals", "signals_destructive"),
    )
)
# What an alert may set for itself: nothing that the whole fleet shares.
PER_ALERT = ("cooldown", "attempts", "attempts_window", "patience", "signals")
MIN_AVAILABLE = "51%"
# Actions that lose what runs on the host. They cannot be declared harmless, and need a person unless it is said.
DESTRUCTIVE = frozenset(("reset_gpu", "reboot"))
ASKED_FIRST = DESTRUCTIVE | {"failback"}

KEYS = ("dry_run", "limits", "pools", "actions", "alerts")
ACTION_KEYS = ("playbook", "destructive", "costs_capacity", "approval")
ALERT_KEYS = ("actions", "approval", "limits")


@dataclass(frozen=True)
class Action:
    """What may be done. `costs_capacity`: the host serves nothing meanwhile."""

    name: str
    playbook: str
    destructive: bool
    costs_capacity: bool
    approval: bool


@dataclass(frozen=True)
class Alert:
    """Its actions, the gentlest first: the next one is tried when the one before has had its attempts."""

    name: str
    actions: tuple[str, ...]
    approval: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Policy:
    """A policy that has been checked. `digest` tells one from another in the log."""

    limits: Mapping[str, float]
    min_available: Mapping[str, int | str]
    actions: Mapping[str, Action]
    alerts: Mapping[str, Alert]
    dry_run: bool
    digest: str

    @property
    def max_age(self) -> float:
        """Seconds after which what was seen is no evidence any more: some scrape intervals."""
        return self.limits["max_age_scrapes"] * self.limits["scrape_interval"]

    def limit(self, key: str, alert: Alert) -> float:
        """A limit as it is for one alert."""
        return alert.limits.get(key, self.limits[key])

    def floor(self, pool: str, size: int) -> int:
        """How many hosts of a pool must stay up; a share rounds up."""
        said = self.min_available.get(pool, self.min_available[""])
        return math.ceil(float(said[:-1]) * size / 100) if isinstance(said, str) else said

    def at_once(self, size: int) -> int:
        """How many hosts of a pool may be worked on at once: a count or a share, whichever is less, but one."""
        share = math.floor(size * self.limits["max_concurrent_percent"] / 100)
        return max(1, min(int(self.limits["max_concurrent"]), share))

    def needs_approval(self, alert: Alert, action: Action) -> bool:
        """Whether a person is asked first."""
        return alert.approval or action.approval


def read_policy(document: Mapping[str, Any]) -> Policy:
    """Check a document and fill in what was not said. Raises Refused with everything that is wrong and where."""
    read = Reader()
    whole = read.mapping("policy", document, KEYS)
    said = read.mapping("limits", whole.get("limits", {}), (*LIMITS, "min_available"))
    floors = {"": _floor(read, "limits.min_available", said.get("min_available", MIN_AVAILABLE))}
    for name, pool in read.mapping("pools", whole.get("pools", {})).items():
        where = "pools.{0}".format(name)
        given = read.mapping(where, pool, ("min_available",))
        floors[read.name("a name in pools", name)] = _floor(
            read, where + ".min_available", given.get("min_available", floors[""])
        )
    actions = {name: _action(read, name, said) for name, said in read.mapping("actions", whole.get("actions")).items()}
    alerts = {
        name: _alert(read, name, said, actions) for name, said in read.mapping("alerts", whole.get("alerts")).items()
    }
    limits = {key: _limit(read, "limits", key, said.get(key, default)) for key, (default, *_range) in LIMITS.items()}
    if limits["signals_destructive"] < limits["signals"]:
        read.complain("limits.signals_destructive", limits["signals_destructive"], "no less than limits.signals")
    dry_run = read.flag("dry_run", whole.get("dry_run", False))
    read.finish(Refused, "the policy was not taken")
    text = json.dumps(document, sort_keys=True, default=str)
    return Policy(limits, floors, actions, alerts, dry_run, hashlib.sha256(text.encode()).hexdigest()[:16])


def _limit(read: Reader, where: str, key: str, value: Any) -> float:
    _default, least, most = LIMITS[key]
    return read.number("{0}.{1}".format(where, key), value, least, most, whole=key in WHOLE)


def _floor(read: Reader, where: str, value: Any) -> int | str:
    """A count, or a share as '51%'."""
    if isinstance(value, str) and value.endswith("%"):
        try:
            if 0 <= float(value[:-1]) <= 100:
                return value
        except ValueError:
            pass
    elif isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    read.complain(where, value, "a count, or a share of the pool such as '51%'")
    return "100%"


def _action(read: Reader, name: str, said: Any) -> Action:
    where = "actions.{0}".format(name)
    given = read.mapping(where, said, ACTION_KEYS)
    read.name("a name in actions", name)
    destructive = read.flag(where + ".destructive", given.get("destructive", name in DESTRUCTIVE))
    if name in DESTRUCTIVE and not destructive:
        read.wrong.append(
            "{0}.destructive is false, but {1} loses what runs on the host: leave it out".format(where, name)
        )
    return Action(
        name=name,
        playbook=read.name(where + ".playbook", given.get("playbook")),
        destructive=destructive,
        costs_capacity=read.flag(where + ".costs_capacity", given.get("costs_capacity", True)),
        approval=read.flag(where + ".approval", given.get("approval", destructive or name in ASKED_FIRST)),
    )


def _alert(read: Reader, name: str, said: Any, actions: Mapping[str, Action]) -> Alert:
    where = "alerts.{0}".format(name)
    given = read.mapping(where, said, ALERT_KEYS)
    read.name("a name in alerts", name)
    chosen = read.names(where + ".actions", given.get("actions"))
    if not chosen:
        read.wrong.append("{0}.actions names nothing to do: name an action, or leave the alert out".format(where))
    for strange in [each for each in chosen if each not in actions]:
        read.wrong.append(
            "{0}.actions names {1}, which actions does not declare (it has {2}): declare it there".format(
                where, strange, ", ".join(sorted(actions)) or "none"
            )
        )
    limits = read.mapping(where + ".limits", given.get("limits", {}), PER_ALERT)
    return Alert(
        name=name,
        actions=chosen,
        approval=read.flag(where + ".approval", given.get("approval", False)),
        limits={key: _limit(read, where + ".limits", key, limits[key]) for key in PER_ALERT if key in limits},
    )

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the fleet at a moment, as somebody gathered it and the guard is told. Pure.

A pool is any group of hosts that can stand in for each other: a pool of model servers, the balancers, the stores.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import Unreadable
from .reading import Reader

MANY = 1e9


@dataclass(frozen=True)
class Signal:
    """What one source says of a host: `bad` or well, and how old its newest sample is, in seconds."""

    source: str
    bad: bool
    age: float


@dataclass(frozen=True)
class Pool:
    """Its hosts; those that are up (admitted and healthy); how fast it burns its error budget; who holds its lease."""

    hosts: frozenset[str]
    up: frozenset[str]
    burn: float | None
    held_by: str


@dataclass(frozen=True)
class Facts:
    """`age`: seconds since they were gathered. `failing`: host to seconds since anything began to fire for it."""

    age: float
    pools: Mapping[str, Pool]
    domain_of: Mapping[str, str] = field(default_factory=dict)
    failing: Mapping[str, float] = field(default_factory=dict)
    signals: Mapping[str, tuple[Signal, ...]] = field(default_factory=dict)
    silenced: frozenset[str] = frozenset()
    pool_of: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # Pool to ages, the newest first, and the hosts that have them.
    failing_in: Mapping[str, tuple[tuple[float, ...], tuple[str, ...]]] = field(default_factory=dict)

    def fail_together(self, pool: str, window: float) -> tuple[str, ...]:
        """Hosts of a pool for which something began to fire within so many seconds."""
        ages, hosts = self.failing_in.get(pool, ((), ()))
        return hosts[: bisect_left(ages, window)]

    def burning(self) -> tuple[str, float]:
        """The pool that burns its error budget fastest; no name where none has an objective."""
        found = [(pool.burn, name) for name, pool in self.pools.items() if pool.burn is not None]
        burn, name = max(found) if found else (0.0, "")
        return name, burn


KEYS = ("age", "pools", "domains", "failing", "signals", "silenced")
POOL_KEYS = ("hosts", "up", "burn", "held_by")


def read_facts(said: Mapping[str, Any]) -> Facts:
    """Read facts. Raises Unreadable: what is missing is not zero, so nothing is filled in.

    `burn` must be said for each pool, and be null for one without an objective; a host is in one pool at most.
    """
    read = Reader()
    whole = read.mapping("facts", said, KEYS)
    pools = {name: _pool(read, name, value) for name, value in _each(read, whole, "pools")}
    pool_of: dict[str, str] = {}
    for name, pool in pools.items():
        for host in sorted(pool.hosts):
            if host in pool_of:
                read.wrong.append("{0} is in pools {1} and {2}: one may have it".format(host, pool_of[host], name))
            pool_of[host] = name
    domain_of = {
        host: read.name("facts.domains.{0}".format(host), value) for host, value in _each(read, whole, "domains")
    }
    members: dict[str, list[str]] = {}
    for host, domain in domain_of.items():
        members.setdefault(domain, []).append(host)
    failing = {
        host: read.number("facts.failing.{0}".format(host), value, 0, MANY)
        for host, value in _each(read, whole, "failing")
    }
    facts = Facts(
        age=read.number("facts.age", whole.get("age"), 0, MANY),
        pools=pools,
        domain_of=domain_of,
        failing=failing,
        signals={host: _signals(read, host, value) for host, value in _each(read, whole, "signals")},
        silenced=frozenset(read.names("facts.silenced", whole.get("silenced", []))),
        pool_of=pool_of,
        members={domain: tuple(sorted(hosts)) for domain, hosts in members.items()},
        failing_in=_by_pool(failing, pool_of),
    )
    read.finish(Unreadable, "the facts cannot be understood")
    return facts


def _by_pool(
    failing: Mapping[str, float], pool_of: Mapping[str, str]
) -> dict[str, tuple[tuple[float, ...], tuple[str, ...]]]:
    found: dict[str, list[tuple[float, str]]] = {}
    for host, age in failing.items():
        found.setdefault(pool_of.get(host, ""), []).append((age, host))
    sides = {pool: sorted(pairs) for pool, pairs in found.items()}
    return {
        pool: (tuple(age for age, _host in pairs), tuple(host for _age, host in pairs)) for pool, pairs in sides.items()
    }


def _each(read: Reader, whole: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    where = "facts.{0}".format(key)
    found = read.mapping(where, whole.get(key, None if key == "pools" else {}))
    return [(read.name("a name in " + where, name), value) for name, value in found.items()]


def _pool(read: Reader, name: str, said: Any) -> Pool:
    where = "facts.pools.{0}".format(name)
    pool = read.mapping(where, said, POOL_KEYS)
    hosts = frozenset(read.names(where + ".hosts", pool.get("hosts")))
    up = frozenset(read.names(where + ".up", pool.get("up")))
    if up - hosts:
        read.wrong.append("{0}.up has {1}, which is none of its hosts".format(where, ", ".join(sorted(up - hosts))))
    if "burn" not in pool:
        read.wrong.append("{0}.burn is missing: null says that the pool has no objective".format(where))
    burn = pool.get("burn")
    return Pool(
        hosts=hosts,
        up=up,
        burn=None if burn is None else read.number(where + ".burn", burn, 0, MANY),
        held_by="" if pool.get("held_by") in (None, "") else read.name(where + ".held_by", pool["held_by"]),
    )


def _signals(read: Reader, host: str, said: Any) -> tuple[Signal, ...]:
    where = "facts.signals.{0}".format(host)
    if not isinstance(said, (list, tuple)):
        read.complain(where, said, "a list")
        return ()
    found = []
    for place, each in enumerate(said):
        here = "{0}[{1}]".format(where, place)
        signal = read.mapping(here, each, ("source", "bad", "age"))
        found.append(
            Signal(
                read.name(here + ".source", signal.get("source")),
                read.flag(here + ".bad", signal.get("bad")),
                read.number(here + ".age", signal.get("age"), 0, MANY),
            )
        )
    return tuple(found)

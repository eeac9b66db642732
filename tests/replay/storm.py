# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A storm from its file: a fleet, alerts over time, and what the guard is expected to say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
STORMS = sorted((HERE / "storms").glob("*.yml"))
POLICY = HERE / "policy.yml"
RANGE = re.compile(r"(.*)\[(\d+):(\d+)\](.*)")


@dataclass
class Fire:
    """An alert of some hosts. Times are in seconds since the storm's begin.

    `started`: since when it fires, where that is not `at`. `seen`: when it was last seen to, where nobody looks again.
    `deliver`: delays of the notifications of each host. `gap`: between hosts. `lasts`: it ends by itself after so many
    seconds; `ended_first`: and its end is delivered before its begin. `again`: it comes back, as (seconds, times).
    """

    at: float
    alert: str
    hosts: list[str]
    started: float | None = None
    seen: float | None = None
    deliver: list[float] = field(default_factory=lambda: [0.0])
    gap: float = 0.0
    lasts: float | None = None
    ended_first: bool = False
    again: tuple[float, int] = (0.0, 0)
    down: bool = False
    says: list[str] = field(default_factory=lambda: ["prometheus"])
    denies: list[str] = field(default_factory=list)


@dataclass
class Storm:
    """One file. `story` is a list of fires, and of steps: what a person does, what becomes of facts and clocks."""

    name: str
    title: str
    why: str
    pools: dict[str, list[str]]
    domains: dict[str, str]
    policy: dict[str, Any]
    fires: list[Fire]
    steps: list[dict[str, Any]]
    outcomes: dict[str, list[str]]
    heals: bool
    lasts: float
    expect: dict[str, Any]


def spread(said: Any) -> list[str]:
    """Names, with gpu[1:3] for gpu1, gpu2 and gpu3."""
    found: list[str] = []
    for name in [said] if isinstance(said, str) else said:
        parts = RANGE.fullmatch(name)
        if parts:
            head, first, last, tail = parts.groups()
            found += [f"{head}{number}{tail}" for number in range(int(first), int(last) + 1)]
        else:
            found.append(name)
    return found


def merged(base: Any, more: Any) -> Any:
    """One document on top of another."""
    if not isinstance(base, dict) or not isinstance(more, dict):
        return more
    return {**base, **{key: merged(base.get(key), value) for key, value in more.items()}}


def read_storm(path: Path, policy: Path = POLICY) -> Storm:
    """A storm, under a policy that it may change in part."""
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    document = yaml.safe_load(policy.read_text(encoding="utf-8"))
    story = said["story"]
    return Storm(
        name=path.stem,
        title=said["title"],
        why=" ".join(said["why"].split()),
        pools={pool: spread(hosts) for pool, hosts in said["pools"].items()},
        domains={host: domain for domain, hosts in said.get("domains", {}).items() for host in spread(hosts)},
        policy=merged(document, said.get("policy", {})),
        fires=[Fire(**{**step, "hosts": spread(step["hosts"])}) for step in story if "alert" in step],
        steps=[step for step in story if "alert" not in step],
        outcomes=said.get("outcomes", {}),
        heals=said.get("heals", True),
        lasts=said["lasts"],
        expect=said["expect"],
    )

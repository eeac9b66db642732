# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fifty rollouts of an identical release raise no false alarm; a bad one is caught in every one of fifty.

Four servers under Poisson traffic behind a balancer that counts as HAProxy does, one of them new; a bake of 30 s looks
every 2 s and stops at the first failure, as the engine does. Some workers are fresh, some are reloaded in mid-bake.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.evidence import Reading, Window
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.gate import Limits, overall
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.traffic_gates import (
    budget_gate,
    error_gate,
    latency_gate,
)

ROLLOUTS, ARRIVALS_PER_S, BAKE_S, LOOK_S = 50, 33.0, 30, 2
MEDIAN_MS, SPREAD = 150.0, 0.5  # lognormal: mean 170 ms, one in a hundred above 480 ms
NEW, PEERS = "gpu1", ("gpu2", "gpu3", "gpu4")


@dataclass
class Server:
    """One server as HAProxy counts it: requests when they begin; errors and whole milliseconds when they end."""

    dice: random.Random
    error_share: float
    slowness: float = 1.0
    worker: int = 1
    requests: int = 0
    errors: int = 0
    ended: int = 0
    sum_ms: int = 0
    running: list[tuple[float, int]] = field(default_factory=list)
    next_at: float = 0.0

    def run(self, until: float) -> Reading:
        """Let requests come and go until then (s), and read the counters."""
        while self.next_at <= until:
            self.requests += 1
            took = int(MEDIAN_MS * self.slowness * self.dice.lognormvariate(0.0, SPREAD))
            self.running.append((self.next_at + took / 1000.0, took))
            self.next_at += self.dice.expovariate(ARRIVALS_PER_S)
        for _end, took in sorted(entry for entry in self.running if entry[0] <= until):
            self.ended += 1
            self.errors += self.dice.random() < self.error_share
            self.sum_ms += took - ((self.sum_ms + 511) // 512 if self.ended > 512 else 0)
        self.running = [entry for entry in self.running if entry[0] > until]
        window = min(max(self.ended, 1), 512)
        return Reading(self.worker, self.requests, self.errors, 0, float((self.sum_ms + window - 1) // window), 0.0)

    def reload(self) -> None:
        """A new worker, with counters of its own."""
        self.worker += 1
        self.requests = self.errors = self.ended = self.sum_ms = 0
        self.running = []


def bake(seed: int, share: float, limits: Limits, new_share: float | None = None, slowness: float = 1.0) -> str:
    """One bake's end: the failing reason, or the last look's verdict."""
    dice = random.Random(seed)
    servers = {name: Server(dice, share) for name in (NEW, *PEERS)}
    start = dice.choice([0.0, 5.0, 40.0])
    seen, reload_at = Window(), dice.choice([0.0, 9.0, 21.0])
    seen.add("lb1", {name: server.run(start) for name, server in servers.items()})
    servers[NEW].slowness, servers[NEW].error_share = slowness, share if new_share is None else new_share
    verdict = overall([])
    for at in range(LOOK_S, BAKE_S + 1, LOOK_S):
        if reload_at and at > reload_at:
            reload_at = 0.0
            for server in servers.values():
                server.reload()
        seen.add("lb1", {name: server.run(start + at) for name, server in servers.items()})
        new, peers = seen.totals([NEW]), seen.totals(PEERS)
        verdict = overall(
            [
                error_gate(new, peers, limits),
                latency_gate(new, peers, limits),
                budget_gate(new.errors, new.requests, limits),
            ]
        )
        if verdict.verdict == "fail":
            return "{0} s: {1}".format(at, verdict.reason)
    return verdict.verdict


@pytest.mark.parametrize(
    ("share", "limits"),
    [
        (0.0, Limits()),
        (0.001, Limits()),
        (0.01, Limits(max_error_percent=3.0, error_budget_percent=3.0)),
    ],
)
def test_an_identical_release_raises_no_alarm(share, limits):
    assert [bake(seed, share, limits) for seed in range(ROLLOUTS)] == ["pass"] * ROLLOUTS


@pytest.mark.parametrize(
    ("change", "reason"), [({"new_share": 0.03}, "requests failed"), ({"slowness": 3.0}, "more than 1.5 times")]
)
@pytest.mark.parametrize("share", [0.0, 0.001])
def test_a_bad_release_is_caught_within_the_bake(share, change, reason):
    ends = [bake(seed, share, Limits(), **change) for seed in range(ROLLOUTS)]
    assert [end for end in ends if reason not in end and "budget" not in end] == []

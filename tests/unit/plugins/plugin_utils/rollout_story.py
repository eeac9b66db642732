# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout's events as the action tells them, for the tests of those who listen."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


def event(name: str, at: float = 100.0, **data: Any) -> dict[str, Any]:
    """One event of run r1 of pool serving."""
    return {"at": at, "run": "r1", "pool": "serving", "event": name, **data}


def phase(name: str, at: float, nodes: list[str], batch: int = 1, detail: str = "") -> dict[str, Any]:
    """A batch goes into a phase."""
    return event("phase", at, batch=batch, batches=2, nodes=nodes, phase=name, detail=detail)


OPENED = event(
    "run_opened",
    release="r-new",
    mode="start",
    plan="1. gpu1\n2. gpu2, gpu3",
    batches=[["gpu1"], ["gpu2", "gpu3"]],
    previous={"gpu1": "r-old", "gpu2": "r-old", "gpu3": "r-old"},
    policy={"max_error_percent": 1.0, "max_latency_ratio": 2.0},
)
WAITING = event(
    "waiting", 131.0, batch=1, batches=2, nodes=["gpu1"], phase="baking", gate="errors",
    numbers={"requests": 120, "errors": 0}, left_s=29.0,
)  # fmt: skip
VERDICTS = event(
    "verdicts",
    160.0,
    batch=1,
    verdicts=[
        {"gate": "errors", "verdict": "fail", "reason": "9 of 300 failed", "evidence": {"percent": 3.0, "errors": 9}},
        {
            "gate": "latency",
            "verdict": "pass",
            "reason": "fast",
            "evidence": {"response_ms": 20, "peers_response_ms": 18},
        },
    ],
)
CLOSED = event("run_closed", 170.0, outcome="reverted", reason="errors: 9 of 300 failed", report="/r/report.html")


def traffic(at: float, requests: int, errors: int = 0) -> dict[str, Any]:
    """Totals of the new server and a peer."""
    return event(
        "traffic",
        at,
        servers={
            "gpu1": {"requests": requests, "errors": errors, "response_ms": 21.0, "status": "UP", "release": "r-new"},
            "gpu2": {"requests": requests, "errors": 0, "response_ms": None, "status": "UP", "release": "r-old"},
        },
    )


STORY = [
    OPENED,
    phase("draining", 101.0, ["gpu1"]),
    phase("changing", 110.0, ["gpu1"]),
    phase("admitting", 128.0, ["gpu1"]),
    phase("baking", 130.0, ["gpu1"], detail="30 s under real traffic"),
    WAITING,
    *(traffic(131.0 + step, 10 * step, step) for step in range(4)),
    VERDICTS,
    phase("reverting", 161.0, ["gpu1"]),
    phase("reverted", 169.0, ["gpu1"]),
    CLOSED,
]

NAMES = ["run_opened", "phase", "waiting", "traffic", "verdicts", "run_closed", "no such event"]
KEYS = [
    "at", "run", "pool", "batch", "batches", "nodes", "phase", "detail", "gate", "numbers", "left_s", "servers",
    "outcome", "reason", "report", "release", "mode", "plan", "previous", "policy", "requests", "errors", "response_ms",
    "verdicts", "verdict", "evidence", "values", "percent", "value", "limit",
]  # fmt: skip
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["baking", "fail", "errors", "\x1b[2J\x07", "\u202egpu1", "<script>", "a\nb"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | TEXTS, inner, max_size=4),
    max_leaves=12,
)
# Events of the right kind with anything inside.
GARBAGE = st.builds(
    lambda name, run, rest: {**rest, "event": name, "run": run},
    st.sampled_from(NAMES),
    st.sampled_from(["r1", "r2"]),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8),
)

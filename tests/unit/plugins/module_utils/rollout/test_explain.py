# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last rollout in words."""

from __future__ import annotations

from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.records import Record
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.explain import explain

PLAN = {"pool": "serving", "release": "r2", "batches": [["gpu1"], ["gpu2"]], "previous": {}}
VERDICT = {"gate": "errors", "verdict": "fail", "reason": "30 of 1000 requests failed"}
EVENTS = [
    ("run_opened", {"owner": "alice", "plan": PLAN, "policy": {}}),
    ("draining", {"batch": 0}),
    ("admitting", {"batch": 0, "load_seconds": {"gpu1|tiny any": 1.25}}),
    ("failed", {"batch": 0, "reason": "errors", "reverting": [0], "verdicts": [VERDICT]}),
    ("changing", {"batch": 0, "back": True}),
    ("quarantined", {"nodes": {"gpu1": "it does not come back"}}),
    ("something_new", {}),
    ("run_closed", {"outcome": "failed", "reason": "errors"}),
]


def records(count=8):
    return [Record(n, 1, "run-1", event, f"10:00:0{n}", data) for n, (event, data) in enumerate(EVENTS[:count], 1)]


def test_no_rollout_yet():
    assert explain("serving", []) == "serving: no rollout yet"


def test_every_decision_with_its_time_and_numbers():
    lines = explain("serving", records()).splitlines()
    assert lines[0] == "serving: run run-1 to r2, failed"
    assert "10:00:02  draining gpu1" in lines[2]
    assert "loaded in 1.2 s" in lines[3]
    assert "errors: fail, 30 of 1000 requests failed" in lines[5]
    assert lines[6].endswith("changing gpu1 back")
    assert "gpu1: it does not come back" in lines[7]
    assert lines[-1].endswith("closed: failed errors")


def test_an_unfinished_run_is_called_so():
    assert explain("serving", records(2)).startswith("serving: run run-1 to r2, unfinished")

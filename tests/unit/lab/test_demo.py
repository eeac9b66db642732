# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo judges what it measured, says it readably, and takes its load from the environment."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.lab.demo import plan_from_env, wants_colour
from tests.lab.demo_report import LOSE, REFUSE, ROLL, aligned, judge, screen, totals
from tests.lab.settings import LabError


def load(sent: int = 900, failed: int = 0, started: int = 20, cut: int = 0, gap: float = 0.2) -> dict[str, Any]:
    return {
        "requests": {
            "sent": sent,
            "ok": sent - failed,
            "failed": failed,
            "by_fate": {"ok": sent - failed, "reset": failed},
            "latency_ms": {"p50": 20.0, "p95": 40.0, "p99": 61.5 if sent else None, "max": 80.0},
        },
        "streams": {"started": started, "ok": started - cut, "cut": cut, "by_fate": {"ok": started - cut, "cut": cut}},
        "longest_gap_s": gap,
    }


@pytest.fixture
def report() -> dict[str, Any]:
    """A demo that went well: only the lost balancer cost requests."""
    return {
        "rate": 100.0,
        "errors": [],
        "seconds": {"site.yml": 80.0, ROLL: 105.9},
        "load": {ROLL: load(), REFUSE: load(400), LOSE: load(failed=43, cut=8, gap=0.59)},
        "refused": {"status": 2, "reason": "gpu1 failed: Rollout of serving to r3-broken stopped at gpu1: corrupted."},
        "releases": {"gpu1": "r2", "gpu2": "r2"},
        "takeover": {"killed": "lb1", "holder": "lb2", "longest_gap_s": 0.59},
        "versions": {"lb1": {"HAProxy": "3.0.11", "keepalived": "2.3.3"}, "gpu1": {"llama_cpp": "1.0"}},
    }


def test_a_good_demo_has_no_problem(report: dict[str, Any]) -> None:
    assert judge(report) == []
    assert totals(report) == {
        "requests_sent": 1300,
        "requests_failed": 0,
        "streams_started": 40,
        "streams_cut": 0,
        "longest_gap_s": 0.59,
    }


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "a request lost in the rollout": ({"load": {ROLL: load(failed=1)}}, "1 of 900 requests were lost"),
    "a stream cut in the refusal": ({"load": {REFUSE: load(cut=2)}}, "2 of 20 streams were cut"),
    "nothing answered, nothing failed": ({"load": {ROLL: load(sent=0)}}, "nothing is proved"),
    "a rollout not measured": ({"load": {ROLL: None}}, "roll to r2: not measured"),
    "the broken release accepted": ({"refused": {"status": 0, "reason": ""}}, "r3-broken was accepted"),
    "refused for another reason": ({"refused": {"status": 4, "reason": "gpu1 unreachable"}}, "another reason: gpu1"),
    "never offered": ({"refused": None}, "never offered"),
    "a node left behind": ({"releases": {"gpu1": "r2", "gpu2": "r1"}}, "{'gpu2': 'r1'}"),
    "nodes not looked at": ({"releases": {}}, "not looked at"),
    "a long gap": ({"takeover": {"killed": "lb1", "holder": "lb2", "longest_gap_s": 1.0}}, "for 1.00 s"),
    "no balancer lost": ({"takeover": None}, "no balancer was lost"),
    "it could not go on": ({"errors": ["site.yml ended with status 2"]}, "site.yml ended with status 2"),
}


@pytest.mark.parametrize(("change", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_every_broken_promise_is_a_problem(report: dict[str, Any], change: dict[str, Any], words: str) -> None:
    changed = copy.deepcopy(report)
    for key, value in change.items():
        changed[key] = {**changed[key], **value} if key == "load" else value
    changed["load"] = {step: found for step, found in changed["load"].items() if found}
    problems = judge(changed)
    assert len(problems) == 1
    assert words in problems[0]
    shown = {key: value for key, value in changed.items() if value is not None}
    assert f"PROBLEM  {problems[0]}" in screen(shown, problems, colour=False)


def test_slow_load_cannot_judge_a_gap(report: dict[str, Any]) -> None:
    report["takeover"]["longest_gap_s"] = 1.4
    assert judge({**report, "rate": 2.0}) == []
    assert "Too few requests to judge" in screen({**report, "rate": 2.0}, [], colour=False)


def test_an_interrupted_demo_can_be_shown() -> None:
    report = {"rate": 100.0, "errors": ["interrupted"], "seconds": {}, "load": {}}
    assert judge(report) == ["interrupted"]
    assert "PROBLEM  interrupted" in screen(report, judge(report), colour=False)
    assert totals(report)["requests_sent"] == 0


def test_a_demo_that_could_not_go_on_still_says_what_was_lost() -> None:
    report = {"rate": 100.0, "errors": ["the rollout failed"], "seconds": {}, "load": {ROLL: load(failed=3)}}
    why, lost = judge(report)
    assert why == "the rollout failed"
    assert "3 of 900 requests were lost" in lost


def test_the_screen_is_aligned_and_without_colour_where_none_is_wanted(report: dict[str, Any]) -> None:
    plain = screen(report, [], colour=False)
    assert "\033" not in plain
    assert "All promises were kept." in plain
    assert "lb1 lost power and lb2 has the virtual IP now" in plain
    head, roll, refuse, lose, *_rest = plain.splitlines()
    assert len(head) == len(roll) == len(refuse) == len(lose)
    assert "\033[32m" in screen(report, [], colour=True)
    assert all(line == line.rstrip() for line in plain.splitlines())


def test_columns() -> None:
    assert aligned([["a", "number"], ["longer", "7"]]) == "a       number\nlonger       7"


def test_load_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DEMO_MODEL", "DEMO_RATE", "DEMO_STREAMS"):
        monkeypatch.delenv(name, raising=False)
    plan = plan_from_env("172.30.40.100")
    assert (plan.url, plan.model, plan.rate, plan.streams) == ("http://172.30.40.100:8080", "tiny", 100, 8)
    monkeypatch.setenv("DEMO_MODEL", "gemma")
    assert plan_from_env("172.30.40.100").rate < 10
    monkeypatch.setenv("DEMO_RATE", "50")
    monkeypatch.setenv("DEMO_STREAMS", "0")
    assert (plan_from_env("").rate, plan_from_env("").streams) == (50, 0)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("DEMO_MODEL", "huge", "known are tiny, gemma"),
        ("DEMO_RATE", "fast", "are numbers"),
        ("DEMO_RATE", "0", "a rate above 0"),
        ("DEMO_RATE", "nan", "a rate above 0"),
        ("DEMO_STREAMS", "-1", "DEMO_STREAMS is -1"),
    ],
)
def test_a_wrong_setting_is_said(monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(LabError, match=words):
        plan_from_env("")


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert wants_colour()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_colour()

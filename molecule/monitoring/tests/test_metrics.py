# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rules and the panels name is there, on both versions of Prometheus; and what is not there is told."""

from __future__ import annotations

import re

import pytest
import yaml
from ansible_collections.steadfast.ai_platform.plugins.module_utils import panels

from tests import rules_metrics
from tests.lab.containers import Lab
from tests.lab.pair import eventually
from tests.lab.settings import ROOT

from .conftest import Monitor

SPEC = yaml.safe_load((ROOT / "roles/monitoring/files/panels.yml").read_text(encoding="utf-8"))
ABSENT = ("gpu", "vllm", "controller")
# What comes later or only sometimes, each with what it waits for.
LATER = {
    "ALERTS.*": "an alert that is pending or fires",
    "steadfast_store_.+": "the store, which scenario model_store has",
    "store:.+": "the same",
    "steadfast_pool_(run|servers)_.+": "a rollout in the pool's journal",
    "steadfast_mount_expected": "mounts, of the store",
    "steadfast_anomaly_score": "a detector that has seen enough",
    "slo:.+": "windows of up to 30 days",
    "platform:measured_.+": "a rule of every 5 minutes",
    "platform:components.*": "all kinds of components, the store among them",
}


def test_every_target_is_up(monitor: Monitor) -> None:
    def down() -> list[str]:
        targets = monitor.get("/api/v1/targets", state="active")["activeTargets"]
        return [
            f"{t['labels']['job']} {t['labels']['instance']}: {t['lastError']}" for t in targets if t["health"] != "up"
        ]

    eventually(lambda: not down(), f"every target is up, but {down()}", 60)

    def counted(expression: str) -> dict[str, float]:
        return {row["metric"]["job"]: float(row["value"][1]) for row in monitor.query(expression)}

    # What the distribution's own configuration asked is remembered for 5 minutes.
    def as_expected() -> bool:
        return counted("count by (job) (up{job!='probe'})") == counted("steadfast_expected")

    eventually(as_expected, "as many targets as expected", 330)


def test_a_real_completion_is_probed(monitor: Monitor) -> None:
    eventually(lambda: monitor.value('probe_success{job="probe",pool="serving"}') == 1, "the probe succeeds", 60)


def test_every_rule_is_well(monitor: Monitor) -> None:
    def unwell() -> list[str]:
        every = [(group, rule) for group in monitor.get("/api/v1/rules")["groups"] for rule in group["rules"]]
        # Some are evaluated every 5 minutes only: not yet is not ill.
        fine = {"ok", "unknown"}
        return [
            f"{rule['name']}: {rule['health']} {rule.get('lastError')}"
            for group, rule in every
            if rule["health"] not in (fine if group["interval"] > 60 else {"ok"})
        ]

    eventually(lambda: not unwell(), f"every rule is evaluated, but {unwell()}", 90)


def test_a_dead_exporter_is_told(lab: Lab, monitors: list[Monitor]) -> None:
    lab.exec("gpu3", ["systemctl", "stop", "prometheus-node-exporter"])
    try:
        for each in monitors:
            eventually(lambda each=each: each.value('up{job="node",instance="gpu3"}') == 0, "it is seen to be down", 30)
    finally:
        lab.exec("gpu3", ["systemctl", "start", "prometheus-node-exporter"])


def comes_later(name: str) -> bool:
    return any(re.fullmatch(pattern, name) for pattern in LATER)


def test_what_the_rules_read_is_there(monitor: Monitor) -> None:
    named = {name for name in rules_metrics.metrics_in_lab() if not comes_later(name)}
    assert len(named) > 60

    def missing() -> set[str]:
        return named - set(monitor.get("/api/v1/label/__name__/values"))

    eventually(lambda: not missing(), f"every metric is there, but {sorted(missing())}", 90)


def test_what_the_panels_show_is_there(monitor: Monitor) -> None:
    named = {name for name in panels.metrics_named(SPEC, ABSENT) if not comes_later(name)}
    assert len(named) > 40
    assert sorted(named - set(monitor.get("/api/v1/label/__name__/values"))) == []


@pytest.mark.parametrize("window", ["1m", "1h"])
def test_every_panel_can_be_asked(monitor: Monitor, window: str) -> None:
    everything = {variable["name"]: panels.EVERYTHING for variable in SPEC["variables"]}
    for expression in panels.expressions(SPEC, window=window, **everything):
        # Raises for an answer that is an error.
        monitor.query(expression)

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exporters that answer 500 MB, never end, answer garbage or too many series: they are told, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.containers import Lab
from tests.lab.pair import eventually

from .conftest import Monitor

EXPORTER = (Path(__file__).parents[3] / "tests" / "lab" / "hostile_exporter.py").read_text(encoding="utf-8")
KINDS = ("huge", "endless", "garbage", "many")
TARGETS = "/etc/prometheus/targets/engine.json"
HUGE = 500 * 1024 * 1024  # what one of them answers


@pytest.fixture
def _hostile(lab: Lab, monitors: list[Monitor]) -> Iterator[None]:
    """They are among the engines for a while."""
    address = lab.hosts["witness1"].address
    lab.exec("witness1", ["systemd-run", "--unit=hostile", "--collect", "python3", "-c", EXPORTER, address, "8600"])
    good = {}
    for monitor in monitors:
        good[monitor.name] = monitor.run("cat", TARGETS)
        more = [
            {
                "targets": [f"{address}:8600"],
                "labels": {"instance": kind, "pool": "none", "__metrics_path__": f"/{kind}"},
            }
            for kind in KINDS
        ]
        write(monitor, json.dumps(json.loads(good[monitor.name]) + more))
    yield
    for monitor in monitors:
        write(monitor, good[monitor.name])
    lab.exec("witness1", ["systemctl", "stop", "hostile"])


def write(monitor: Monitor, text: str) -> None:
    """Replace the targets, as the role does it."""
    body = f"import os; open('{TARGETS}.new', 'w').write({text!r}); os.rename('{TARGETS}.new', '{TARGETS}')"
    monitor.run("python3", "-c", body)
    monitor.run("chmod", "644", TARGETS)


@pytest.mark.usefixtures("_hostile", "trials")
def test_hostile_exporters_are_down_and_nothing_else(monitors: list[Monitor]) -> None:
    memory = 'process_resident_memory_bytes{job="prometheus",instance="%s"}'
    before = {monitor.name: monitor.value(memory % monitor.name) or 0 for monitor in monitors}
    for monitor in monitors:
        for kind in KINDS:
            # Five looks in a row.
            seen = f'count_over_time(up{{job="engine",instance="{kind}"}}[5m]) >= 5'
            eventually(lambda seen=seen, monitor=monitor: monitor.query(seen), f"{kind} is asked", 90)
            assert monitor.value(f'max_over_time(up{{job="engine",instance="{kind}"}}[5m])') == 0
            alert = f'ALERTS{{alertname="TargetDown",instance="{kind}"}}'
            eventually(
                lambda alert=alert, monitor=monitor: monitor.query(alert), f"{kind} is on its way to be told", 30
            )
        assert monitor.value("count(hostile_metric)") is None
        now = monitor.value(memory % monitor.name) or 0
        # Not one of its bodies was held whole.
        assert now - before[monitor.name] < HUGE
        assert monitor.value('min(up{job=~"node|haproxy|anomaly"})') == 1
        assert monitor.value('min(up{job="engine",pool!="none"})') == 1

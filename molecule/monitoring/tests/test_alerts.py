# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An alert arrives once, whoever of the pair is dead."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.containers import Lab
from tests.lab.pair import eventually

from .conftest import Monitor, Told, switch

RESULTS = Path(__file__).parents[3] / "build" / "alerts.jsonl"
# Of the rule: seconds that it must hold.
FOR = 5
# More than that may not pass until somebody is told.
LATE = 15


@contextmanager
def dead(lab: Lab, host: str, *units: str) -> Iterator[None]:
    """Services that are killed, not asked, and that nobody starts again; without a service, the whole host."""
    if units:
        for unit in units:
            lab.exec(host, ["systemctl", "kill", "--signal=KILL", unit])
            lab.exec(host, ["systemctl", "stop", unit])
    else:
        lab.kill(host)
    try:
        yield
    finally:
        if units:
            lab.exec(host, ["systemctl", "start", *units])
        else:
            lab.start(host)


@pytest.fixture(autouse=True)
def _quiet(lab: Lab, monitors: list[Monitor], told: Told) -> Iterator[None]:
    """The alert neither fires before a case nor after it."""

    def silent() -> bool:
        return not any(each.query('ALERTS{alertname="LabSwitch"}') for each in monitors)

    switch(lab, False)
    eventually(silent, "the lab's alert is silent", 60)
    yield
    switch(lab, False)


def firing(told: Told) -> Callable[[], set[tuple[str, str]]]:
    return lambda: {(each["fingerprint"], each["startsAt"]) for each in told.alerts("LabSwitch")}


@pytest.mark.parametrize(
    ("host", "units"),
    [
        ("mon1", ("prometheus",)),
        ("mon2", ("prometheus",)),
        ("mon1", ("prometheus-alertmanager",)),
        ("mon2", ("prometheus-alertmanager",)),
        ("mon1", ()),
    ],
    ids=["prometheus of mon1", "prometheus of mon2", "alertmanager of mon1", "alertmanager of mon2", "host mon1"],
)
def test_an_alert_arrives_once(lab: Lab, told: Told, host: str, units: tuple[str, ...]) -> None:
    seen = firing(told)
    before, messages = seen(), len(told.alerts("LabSwitch"))
    with dead(lab, host, *units):
        began = switch(lab, True)
        eventually(lambda: seen() - before, "the alert arrives", FOR + LATE + 30)
        # Whoever waits for the other to have told it would tell it now.
        time.sleep(8)
        new = told.alerts("LabSwitch")[messages:]
        took = round(new[0]["at"] - began - FOR, 1)
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("a", encoding="utf-8") as sink:
            row = {"dead": [host, *units], "late_s": took, "messages": len(new)}
            sink.write(json.dumps(row) + "\n")
        assert len(seen() - before) == 1, new
        assert took <= LATE
        assert {each["to"] for each in new} == {"/page"}


def test_a_dead_man_would_be_missed(monitor: Monitor, told: Told) -> None:
    assert monitor.query('ALERTS{alertname="Watchdog",alertstate="firing"}')
    eventually(lambda: told.alerts("Watchdog"), "the watchdog is told", 90)
    assert {each["to"] for each in told.alerts("Watchdog")} == {"/deadman"}

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""promtool's cases of the rules, with both versions of Prometheus."""

from __future__ import annotations

from tests.lab.pair import eventually

from .conftest import Monitor, Trial


def test_every_alert_fires_when_it_should_and_only_then(monitor: Monitor, trials: dict[str, Trial]) -> None:
    trial = trials[monitor.name]
    eventually(trial.ended, f"promtool on {monitor.name} ends", 600)
    said = trial.said()
    assert "FAILED" not in said, said[-3000:]
    assert said.count("SUCCESS") == len(trial.files), said[-3000:]

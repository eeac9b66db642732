# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How busy an engine is, from its own metrics."""

from __future__ import annotations

from ..errors import Unreadable
from .answers import metric_total
from .client import Engine
from .release import Release


def load(engine: Engine, release: Release) -> dict[str, float | None]:
    """`running`: requests that run or wait; `progress`: a number that rises while it works. None: it does not say."""
    names = {"running": release.running_metrics, "progress": release.progress_metrics}
    found: dict[str, float | None] = {"running": None, "progress": None}
    if not any(names.values()):
        return found
    try:
        answer = engine.get(release.metrics_path)
    except Unreadable:
        return found
    for key, metrics in names.items():
        try:
            found[key] = metric_total(answer.body, list(metrics)) if metrics and answer.status == 200 else None
        except Unreadable:
            found[key] = None
    return found

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of the room: a finding is something wrong with a GPU node, an action is what it asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# From the mildest to the most severe. isolate: out of traffic until a person has put it back.
NONE, RESTART_APP, RESET_GPU, REBOOT, ISOLATE = ACTIONS = ("none", "restart_app", "reset_gpu", "reboot", "isolate")
INFO, WARNING, CRITICAL = SEVERITIES = ("info", "warning", "critical")
HEALTHY, DEGRADED, FAILED = "healthy", "degraded", "failed"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing (info).

    Args:
        kind: what, in few words; a label of metrics.
        source: where it was seen: nvidia-smi, kernel log, inventory, pci.
        person: somebody must look; no action repairs it.
        index: the GPU's place in nvidia-smi's list; None for the node, or for a GPU that is not listed.
        evidence: the numbers behind it.
    """

    kind: str
    severity: str
    text: str
    source: str
    action: str = NONE
    person: bool = False
    index: int | None = None
    uuid: str = ""
    serial: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


def worst_action(actions: list[str]) -> str:
    """The most severe of these."""
    return max(actions, key=ACTIONS.index, default=NONE)


def worst_first(found: list[Finding]) -> list[Finding]:
    """In one order, whatever order they were found in."""
    return sorted(
        found,
        key=lambda one: (
            -SEVERITIES.index(one.severity),
            -ACTIONS.index(one.action),
            one.kind,
            -1 if one.index is None else one.index,
            one.text,
        ),
    )


def verdict(found: list[Finding]) -> str:
    """The one word: failed with a critical finding, degraded with a warning; info changes nothing."""
    severities = {one.severity for one in found}
    if CRITICAL in severities:
        return FAILED
    return DEGRADED if WARNING in severities else HEALTHY


def needed(found: list[Finding]) -> tuple[str, str]:
    """The one action that the node needs, and the text of the finding that asks for it."""
    action = worst_action([one.action for one in found])
    why = next((one.text for one in worst_first(found) if one.action == action), "")
    return action, "" if action == NONE else why

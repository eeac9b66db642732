# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an XID or SXid asks for. The sources disagree; a policy says whom to follow.

nvidia: NVIDIA's catalog. Where it has nothing: the mildest that another source names.
lenient: the mildest of NVIDIA, gpud and AWS.
cautious: the most severe of them; what DCGM, EKS or Azure fail a node for is critical.

So lenient never asks for more than nvidia, nor nvidia for more than cautious.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import Refused
from .findings import ACTIONS, CRITICAL, INFO, ISOLATE, NONE, REBOOT, RESET_GPU, RESTART_APP, WARNING, worst_action
from .xid_policy import MONITORED, SXID_FATAL, SXID_POTENTIALLY_FATAL, SXID_REBOOT, SXID_WARNING, XIDS, Xid

LENIENT, NVIDIA, CAUTIOUS = POLICIES = ("lenient", "nvidia", "cautious")
REMOVED_CHANNELS, RECOVERY_CHANGED = 45, 154
FIXED = {
    REMOVED_CHANNELS: "it tells that channels were removed after another error, and that one is to be acted on",
    RECOVERY_CHANGED: "its text is the driver's own word on what is needed",
}

# NVIDIA's words. Its workflows, as AWS's suite carries them out: 48 and 74 end in a reset, the others need a person.
CATALOG = {
    "IGNORE": NONE,
    "RESTART_APP": RESTART_APP,
    "RESET_GPU": RESET_GPU,
    "RESTART_BM": REBOOT,
    "RESTART_VM": REBOOT,
    "WORKFLOW_XID_45": NONE,
    "WORKFLOW_XID_48": RESET_GPU,
    "WORKFLOW_NVLINK_ERR": RESET_GPU,
}
BY_PERSON = {"CONTACT_SUPPORT", "CHECK_MECHANICALS", "UPDATE_SWFW", "CHECK_UVM", "WORKFLOW_NVLINK5_ERR", "XID_154"}
# gpud knows no reset of a GPU; it reboots.
REPAIRS = {"REBOOT": REBOOT, "HW_INSPECT": ISOLATE, "CHECK_APP": RESTART_APP, "IGNORE": NONE}
TIERS = {"MONITOR": NONE, "RESET": RESET_GPU, "REBOOT": REBOOT, "ISOLATE": ISOLATE}
# NVLink 5: whether an error is fatal is said in the line, not by the code.
NVLINK5 = range(144, 151)


@dataclass(frozen=True)
class Policy:
    """Whom to follow, and by XID the operator's own word, which goes before every source."""

    name: str = NVIDIA
    overrides: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """What a code asks for, how bad it is, whether somebody must look, and who says so."""

    action: str
    severity: str
    person: bool
    why: str


def policy(name: str, overrides: Mapping[int, str] | None = None) -> Policy:
    """A policy whose words are known. Raises Refused."""
    if name not in POLICIES:
        raise Refused("there is no policy {0!r}; there are {1}".format(name, ", ".join(POLICIES)))
    for code, action in (overrides or {}).items():
        if code in FIXED:
            raise Refused("XID {0} cannot be overridden: {1}".format(code, FIXED[code]))
        if action not in ACTIONS:
            raise Refused("XID {0}: there is no action {1!r}; there are {2}".format(code, action, ", ".join(ACTIONS)))
    return Policy(name, dict(overrides or {}))


def decide(code: int, fatal: bool, chosen: Policy) -> Decision:
    """What an XID asks for; `fatal`: its line says so."""
    if code in chosen.overrides:
        action = chosen.overrides[code]
        return Decision(action, _severity(action, False), False, "overridden")
    if code in MONITORED:
        return Decision(NONE, INFO, False, "unused, or a warning only")
    row = XIDS.get(code)
    if row is None:
        return Decision(NONE, WARNING, True, "no source knows this code")
    said = _said(row, fatal)
    if chosen.name == CAUTIOUS:
        action = worst_action(list(said.values()))
    elif chosen.name == NVIDIA and "NVIDIA" in said:
        action = said["NVIDIA"]
    else:
        action = min(said.values(), key=ACTIONS.index, default=NONE)
    failing = chosen.name == CAUTIOUS and (
        row.dcgm.startswith("FAIL") or bool({"EKS", "Azure"} & set(row.others.split()))
    )
    person = action == ISOLATE or (action == NONE and (_asks_for_person(row) or failing))
    why = ", ".join("{0}: {1}".format(who, what) for who, what in said.items()) or "no source names an action"
    return Decision(action, CRITICAL if failing else _severity(action, person), person, why)


def decide_sxid(code: int, fatal: bool, chosen: Policy) -> Decision:
    """What an SXid asks for; `fatal`: its line says so. The classes are gpud's."""
    known = code in SXID_POTENTIALLY_FATAL | SXID_REBOOT | SXID_WARNING
    if code in SXID_FATAL:
        return Decision(REBOOT, CRITICAL, False, "gpud: always fatal")
    if fatal and known:
        return Decision(REBOOT, CRITICAL, False, "its line calls it fatal")
    if chosen.name == CAUTIOUS and code in SXID_POTENTIALLY_FATAL | SXID_REBOOT:
        return Decision(REBOOT, CRITICAL, False, "gpud: reboot")
    if code in SXID_WARNING:
        return Decision(NONE, INFO, False, "gpud: a warning only")
    why = "gpud: reboot, but its line does not call it fatal" if known else "no source knows this code"
    return Decision(NONE, CRITICAL if fatal else WARNING, True, why)


def _said(row: Xid, fatal: bool) -> dict[str, str]:
    """Who names an action: in our words."""
    said = {}
    if row.nvidia:
        said["NVIDIA"] = CATALOG.get(row.nvidia, NONE)
    if row.gpud:
        first = row.gpud.partition(": ")[2].split(", ")[0]
        said["gpud"] = REPAIRS.get(first, NONE)
    tier = re.match(r"[A-Z]+", row.aws)
    if tier and tier[0] in TIERS and not row.aws.startswith("RESET if"):
        said["AWS"] = TIERS[tier[0]]
    if fatal and row.code in NVLINK5:
        said = {who: worst_action([action, RESET_GPU]) for who, action in said.items()}
    return said


def _asks_for_person(row: Xid) -> bool:
    """Nobody names an action that would repair it, and nobody calls it harmless."""
    return row.nvidia in BY_PERSON or not (row.nvidia or row.gpud == "Info" or row.aws == "MONITOR")


def _severity(action: str, person: bool) -> str:
    if ACTIONS.index(action) >= ACTIONS.index(RESET_GPU):
        return CRITICAL
    return WARNING if person or action == RESTART_APP else INFO

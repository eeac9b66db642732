# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of XIDs in docs/gpu.md, made of the data."""

from __future__ import annotations

from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.findings import ACTIONS, CRITICAL, RESET_GPU
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.policy import POLICIES, Decision, Policy, decide
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.xid_policy import XIDS

HEAD = ("XID", "name", "NVIDIA", "gpud", "DCGM", "AWS", "others", *POLICIES)


def table() -> str:
    """Every code that a source names: what each says, and what each policy makes of it."""
    rows = [HEAD, ("---",) * len(HEAD)]
    for code, row in sorted(XIDS.items()):
        decisions = [decide(code, False, Policy(name)) for name in POLICIES]
        words = [_words(one) for one in decisions]
        rows.append((str(code), row.name, row.nvidia, row.gpud, row.dcgm, row.aws, row.others, *words))
    return "".join("| {0} |\n".format(" | ".join(cell or "-" for cell in row)) for row in rows)


def _words(one: Decision) -> str:
    """Whatever asks for a reset or more is critical; said only of what is critical without that."""
    critical = one.severity == CRITICAL and ACTIONS.index(one.action) < ACTIONS.index(RESET_GPU)
    return one.action + (", a person" if one.person else "") + (", critical" if critical else "")

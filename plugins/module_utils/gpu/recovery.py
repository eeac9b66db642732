# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver's own word on what a GPU needs: NVML's recovery action, which nvidia-smi shows and XID 154 tells in text.

Sources: nvml.h (field 230; 0 none, 1 GPU reset, 2 node reboot, 3 drain P2P, 4 drain and reset, 5 reset of the bus),
and kernel logs of drivers 570 to 595. A word that is not known asks for a person.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .findings import NONE, REBOOT, RESET_GPU, RESTART_APP

CHANGED = re.compile(r"GPU recovery action changed (?:from 0x[0-9a-fA-F]+ \([^)]*\) )?to 0x[0-9a-fA-F]+ \(([^)]*)\)")
ACTIONS = {
    "none": NONE,
    "reset": RESET_GPU,
    "gpu reset": RESET_GPU,
    "gpu reset required": RESET_GPU,
    "pf flr": RESET_GPU,
    # The GPU works with less than it has: it is reset once its work has ended.
    "drain and reset": RESET_GPU,
    "reboot": REBOOT,
    "node reboot": REBOOT,
    "node reboot required": REBOOT,
    "system reboot": REBOOT,
    # Resetting the bus is not what a reset of the GPU does; a reboot does it, too.
    "bus reset": REBOOT,
    "gpu reset bus": REBOOT,
    # Whatever uses the link between GPUs must end; then the driver says what it needs.
    "drain p2p": RESTART_APP,
}


@dataclass(frozen=True)
class Recovery:
    """What the driver said, and the action in our words; None when we do not know its word."""

    word: str
    action: str | None


def recovery(word: str | None) -> Recovery | None:
    """The driver's word understood; None when it said nothing."""
    if word is None:
        return None
    return Recovery(word, ACTIONS.get(" ".join(word.lower().split())))


def told(text: str) -> Recovery | None:
    """What the text of an XID 154 says; None when it does not say it in the known form."""
    found = CHANGED.search(text)
    return recovery(found[1]) if found else None

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a balancer remembers of its virtual IP, and whether two balancers are configured alike. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ..errors import Unreadable

# What role load_balancer writes behind a line that must differ: a balancer's name, or an address of its own.
OWN = "  # of this balancer alone"
STATES = ("MASTER", "BACKUP", "FAULT", "STOP")


def remembered(text: str) -> dict[str, Any]:
    """State, priority, since (seconds since 1970), transitions and history, as keepalived's notifications left them.

    Raises Unreadable when it is something else.
    """
    try:
        found = json.loads(text)
        state = found["state"]
        if state not in STATES:
            raise ValueError("state {0!r}".format(state))
        return {
            "state": state,
            "priority": int(found["priority"]),
            "since": float(found["since"]),
            "transitions": int(found["transitions"]),
            "history": [{"state": str(entry["state"]), "at": float(entry["at"])} for entry in found["history"][-10:]],
        }
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unreadable(
            "the state of the virtual IP was not understood: {0}".format(error), seen=text[:200]
        ) from error


def fingerprint(config: str) -> str:
    """What two balancers' configurations have in common, as sha256: all but the lines that say they are one's own."""
    lines = [line for line in config.splitlines() if not line.endswith(OWN)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()

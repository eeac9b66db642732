# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of every module that talks to HAProxy; they mirror doc_fragments/haproxy.py."""

from __future__ import annotations

from typing import Any


def haproxy_arguments() -> dict[str, Any]:
    """Argument spec of the socket and its time-out (seconds)."""
    return {
        "socket": {"type": "path", "default": "/run/haproxy-master.sock"},
        "timeout": {"type": "float", "default": 5.0},
    }

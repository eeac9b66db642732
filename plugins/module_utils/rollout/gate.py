# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The balancer gate: did new servers stay healthy under real traffic? A verdict with its numbers. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..haproxy.records import Counters, Server


@dataclass
class Verdict:
    """`pass` or `fail`, why, and the numbers."""

    verdict: str
    reasons: list[str] = field(default_factory=list)
    evidence: dict[str, Any] = field(default_factory=dict)


def judge(
    servers: dict[str, Server], now: dict[str, Counters], before: dict[str, Counters], max_error_percent: float
) -> Verdict:
    """Fail for a server that is not UP, was DOWN in between, or answered more errors than allowed (percent)."""
    result = Verdict("pass")
    for name, server in sorted(servers.items()):
        delta = now[name].since(before[name])
        percent = 100.0 * delta.errors / delta.requests if delta.requests else 0.0
        result.evidence[name] = {
            "status": server.status,
            "requests": delta.requests,
            "errors": delta.errors,
            "downs": delta.downs,
        }
        if not server.up:
            result.reasons.append("{0} is {1} ({2})".format(name, server.status, server.check_status))
        if delta.downs:
            result.reasons.append("{0} went DOWN {1} time(s)".format(name, delta.downs))
        if percent > max_error_percent:
            result.reasons.append(
                "{0} answered {1} of {2} requests with errors ({3:.1f} %, allowed {4:g} %)".format(
                    name, delta.errors, delta.requests, percent, max_error_percent
                )
            )
    result.verdict = "fail" if result.reasons else "pass"
    return result

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo found: judged, and written on one screen. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

ROLL, REFUSE, LOSE = "roll to r2", "refuse r3-broken", "lose a balancer"
GAP_LIMIT_S = 1.0
# With fewer requests a second, the time between two of them says nothing about a gap of a second.
RATE_THAT_SHOWS_GAPS = 20
NOT_MEASURED = "not measured"
GREEN, RED = "32", "31"


def judge(report: dict[str, Any]) -> list[str]:
    """Every promise of the demo that was not kept, in words; empty when all were."""
    lost = [problem for step in (ROLL, REFUSE) for problem in _lost(step, report["load"].get(step))]
    if report["errors"]:
        # It could not go on: what it did not come to is no news.
        return [*report["errors"], *(problem for problem in lost if not problem.endswith(NOT_MEASURED))]
    problems = [*lost, *_refused(report.get("refused"))]
    wrong = {node: release for node, release in report.get("releases", {}).items() if release != "r2"}
    if wrong or not report.get("releases"):
        problems.append(f"not every node is on r2 at the end: {wrong or 'not looked at'}")
    return problems + _gap(report.get("takeover"), report["rate"])


def _lost(step: str, load: dict[str, Any] | None) -> list[str]:
    if load is None:
        return [f"{step}: {NOT_MEASURED}"]
    requests, streams = load["requests"], load["streams"]
    problems = []
    if requests["failed"]:
        problems.append(f"{step}: {requests['failed']} of {requests['sent']} requests were lost: {requests['by_fate']}")
    if streams["cut"]:
        problems.append(f"{step}: {streams['cut']} of {streams['started']} streams were cut: {streams['by_fate']}")
    if not requests["ok"]:
        problems.append(f"{step}: no request was answered, so nothing is proved")
    return problems


def _refused(refused: dict[str, Any] | None) -> list[str]:
    if refused is None:
        return ["r3-broken was never offered"]
    if refused["status"] == 0:
        return ["r3-broken was accepted"]
    if "r3-broken stopped at" not in refused["reason"]:
        return [f"the rollout of r3-broken failed for another reason: {refused['reason']}"]
    return []


def _gap(takeover: dict[str, Any] | None, rate: float) -> list[str]:
    if takeover is None:
        return ["no balancer was lost"]
    gap = takeover["longest_gap_s"]
    if rate >= RATE_THAT_SHOWS_GAPS and gap >= GAP_LIMIT_S:
        return [f"without {takeover['killed']} nothing was answered for {gap:.2f} s; the limit is {GAP_LIMIT_S:g} s"]
    return []


def totals(report: dict[str, Any]) -> dict[str, Any]:
    """The sums over the two rollouts, and the gap of the takeover: what the demo is about."""
    loads = [report["load"][step] for step in (ROLL, REFUSE) if step in report["load"]]
    return {
        "requests_sent": sum(load["requests"]["sent"] for load in loads),
        "requests_failed": sum(load["requests"]["failed"] for load in loads),
        "streams_started": sum(load["streams"]["started"] for load in loads),
        "streams_cut": sum(load["streams"]["cut"] for load in loads),
        "longest_gap_s": report.get("takeover", {}).get("longest_gap_s"),
    }


def screen(report: dict[str, Any], problems: list[str], colour: bool) -> str:
    """Three tables and a verdict. `colour` for a terminal that wants it."""

    def paint(text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if colour else text

    parts = [_loads(report, paint), _seconds(report["seconds"]), _hosts(report)]
    takeover = report.get("takeover")
    if takeover:
        parts.append(
            f"{LOSE}: {takeover['killed']} lost power and {takeover['holder']} has the virtual IP now. What it was "
            f"serving\nended with it; the longest time without an answer was {takeover['longest_gap_s']:.2f} s."
            + ("" if report["rate"] >= RATE_THAT_SHOWS_GAPS else " Too few requests to judge that.")
        )
    if "refused" in report:
        parts.append(f"{REFUSE}: {report['refused']['reason']}")
    verdict = [paint(f"PROBLEM  {problem}", RED) for problem in problems] or [paint("All promises were kept.", GREEN)]
    return "\n\n".join([*(part for part in parts if part), "\n".join(verdict)])


def _loads(report: dict[str, Any], paint: Callable[[str, str], str]) -> str:
    rows = [["under load", "requests", "failed", "p50 ms", "p99 ms", "streams", "cut", "longest gap"]]
    bad = []
    if not report["load"]:
        return ""
    for step, load in report["load"].items():
        requests, streams = load["requests"], load["streams"]
        latency = requests["latency_ms"]
        bad.append(step != LOSE and bool(requests["failed"] or streams["cut"]))
        rows.append(
            [
                step,
                *(str(requests["sent"]), str(requests["failed"]), _ms(latency["p50"]), _ms(latency["p99"])),
                *(str(streams["started"]), str(streams["cut"]), f"{load['longest_gap_s']:.2f} s"),
            ]
        )
    head, *lines = aligned(rows).splitlines()
    return "\n".join([head, *(paint(line, RED) if red else line for line, red in zip(lines, bad, strict=True))])


def _seconds(seconds: dict[str, float]) -> str:
    return aligned([["step", "seconds"], *([step, f"{spent:.1f}"] for step, spent in seconds.items())])


def _hosts(report: dict[str, Any]) -> str:
    versions: dict[str, dict[str, str]] = report.get("versions", {})
    releases = report.get("releases", {})
    words = [
        [host, releases.get(host, "-"), ", ".join(f"{what} {version}" for what, version in found.items())]
        for host, found in versions.items()
    ]
    return aligned([["host", "release", "runs"], *words], left=3) if words else ""


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Columns under each other: the first `left` ones to the left, the others, numbers, to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work at one server of a group that can spare one: who works where, by the journal, and who may begin. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..ledger.records import Record

BEGAN, ENDED = "work_began", "work_ended"
# Kinds of findings that go by themselves.
PASSING = ("heal pending", "heal unknown", "client apart")


@dataclass(frozen=True)
class Work:
    """Something that is done at a server, such as `upgrade`; `since` is the controller's wall clock, for people."""

    server: str
    kind: str
    owner: str
    since: str

    def __str__(self) -> str:
        return "{0} of {1}, begun by {2} at {3}".format(self.kind, self.server, self.owner, self.since)


def open_work(records: Iterable[Record]) -> Work | None:
    """The work that was begun and not ended, if there is one."""
    found = None
    for record in records:
        if record.event == BEGAN:
            data = record.data
            found = Work(str(data["server"]), str(data["kind"]), str(data["owner"]), record.at)
        elif record.event == ENDED:
            found = None
    return found


def objection(server: str, kind: str, open_now: Work | None, findings: Sequence[Mapping[str, Any]], own: str) -> str:
    """Why the work must not begin; empty when it may. The same work, begun before, may go on.

    Args:
        server: name of the server that will be away.
        kind: what is done there.
        open_now: work that the journal says is not ended.
        findings: what is wrong with the group: kind, where and text each.
        own: the server's address. What is wrong at it alone is no reason once the work has begun, or when it is
            to replace the server.
    """
    if open_now and (open_now.server, open_now.kind) != (server, kind):
        return "there is an open {0}: end that first, by running it again".format(open_now)
    spared = bool(open_now) or kind == "replace"
    others = [one["text"] for one in findings if not (spared and _is_own(one, own))]
    if others:
        return "another copy is not whole ({0}): taking {1} away could lose data".format("; ".join(others), server)
    return ""


def _is_own(finding: Mapping[str, Any], own: str) -> bool:
    # While a server is away, nobody knows how much is to be healed there, and what is to be healed is its own.
    if finding["kind"] in ("heal pending", "heal unknown"):
        return True
    return str(finding["where"]) == own or str(finding["where"]).startswith(own + ":")

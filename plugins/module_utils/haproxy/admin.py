# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to tell HAProxy, and whether what it answers amounts to drained or healthy. Pure decisions on records."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import Refused
from .records import Server, Worker

STATES = ("ready", "drain", "maint")


@dataclass(frozen=True)
class Wanted:
    """The intent for one pool's servers on one balancer. `weight` is absolute (0-256), None leaves it alone."""

    backend: str
    servers: tuple[str, ...]
    state: str | None = None
    weight: int | None = None

    def check(self, known: dict[tuple[str, str], Server]) -> None:
        """Raises Refused when the backend or a server is unknown to HAProxy; names what it does know."""
        mine = sorted(name for backend, name in known if backend == self.backend)
        if not mine:
            raise Refused(
                "no backend {0!r} on this balancer; it knows {1}".format(
                    self.backend, ", ".join(sorted({backend for backend, _name in known})) or "none"
                )
            )
        strange = sorted(set(self.servers) - set(mine))
        if strange:
            raise Refused(
                "backend {0!r} has no server {1}; it has {2}".format(self.backend, ", ".join(strange), ", ".join(mine))
            )

    def commands(self, known: dict[tuple[str, str], Server], current: bool = True) -> list[str]:
        """Commands that bring one worker to this intent; none when it is there. A weight goes before `ready`.

        An old worker may know other servers (they are passed over), refuses `set server` ("Proxy is disabled", HAProxy
        2.6 and 3.0) and takes the command that the role's Lua file gives it instead; weights it cannot change.
        """
        result = []
        for name in self.servers:
            server = known.get((self.backend, name))
            if server is None:
                continue
            if current and self.weight is not None:
                result += self._share(server, self.weight)
            if self.state is not None and server.admin_state != self.state:
                words = "set server {0}/{1} state {2}" if current else "steadfast {2} {0} {1}"
                result.append(words.format(self.backend, name, self.state))
        return result

    def _share(self, server: Server, weight: int) -> list[str]:
        """Commands for a weight. A load agent is silent while its server has less than its whole: a ramp is ours."""
        place = "{0}/{1}".format(self.backend, server.name)
        hushed = weight < server.initial_weight
        if server.agent_speaks and not hushed:
            return []
        commands = ["disable agent " + place] if server.agent_speaks else []
        if server.weight != weight:
            commands.append("set server {0} weight {1}".format(place, weight))
        if server.has_agent and not server.agent_speaks and not hushed:
            commands.append("enable agent " + place)
        return commands

    def admitted(self, known: dict[tuple[str, str], Server]) -> bool:
        """True when one of the servers takes new requests at this worker."""
        return any(known[(self.backend, name)].admin_state == "ready" for name in self.servers)

    def leaves(self, known: dict[tuple[str, str], Server]) -> bool:
        """True when the intent takes an admitted server out of traffic, so that capacity shrinks."""
        return self.state in ("drain", "maint") and self.admitted(known)

    def steps(self, known: dict[tuple[str, str], Server], wait: str) -> list[tuple[Wanted, str]]:
        """The way to the intent, each step with what to wait for after it (`none`, `drained` or `healthy`).

        Servers go to maintenance by way of an empty drain, and come back by way of probation: `ready` straight
        from `maint` shows UP before a single check has run (HAProxy 2.6 and 3.0, reproduced).
        """
        aside = Wanted(self.backend, self.servers, "drain", self.weight)
        if wait == "drained" and self.state == "maint" and self.admitted(known):
            return [(aside, "drained"), (self, "none")]
        if wait == "healthy" and self.state == "ready" and not self.admitted(known):
            return [(aside, "healthy"), (self, "healthy")]
        return [(self, wait)]


@dataclass(frozen=True)
class Traffic:
    """What the wanted servers still carry, summed over the workers of one balancer at one moment."""

    workers: tuple[int, ...]
    sessions: int
    queue: int
    refusing: bool

    @property
    def open(self) -> int:
        """Requests that run at the servers or wait for them."""
        return self.sessions + self.queue


def traffic(wanted: Wanted, views: dict[Worker, dict[tuple[str, str], Server]]) -> Traffic:
    """Sum sessions and queues over every worker's view. `refusing`: out of traffic in all of them."""
    mine = [
        view[(wanted.backend, name)]
        for view in views.values()
        for name in wanted.servers
        if (wanted.backend, name) in view
    ]
    return Traffic(
        workers=tuple(sorted(worker.pid for worker in views)),
        sessions=sum(server.sessions for server in mine),
        queue=sum(server.queue for server in mine),
        refusing=all(server.admin_state != "ready" for server in mine),
    )


@dataclass
class DrainWatch:
    """Drained means: out of traffic and empty in every worker, in `needed` samples in a row of the same workers.

    One zero proves little: a reload between two readings shows a false zero in the new worker
    (HAProxy 2.6 and 3.0, reproduced).
    """

    needed: int = 3
    zeros: int = field(default=0, init=False)
    workers: tuple[int, ...] = field(default=(), init=False)

    def see(self, sample: Traffic) -> bool:
        """Take one sample; True when drained."""
        clean = sample.refusing and sample.open == 0
        # An old worker that ended on its own took its last sessions with it; a new one has proved nothing yet.
        fresh = bool(set(sample.workers) - set(self.workers))
        self.zeros = (1 if fresh else self.zeros + 1) if clean else 0
        self.workers = sample.workers
        return self.zeros >= self.needed

    def lost(self) -> None:
        """A sample that could not be read. Unknown is never zero."""
        self.zeros = 0


def healthy(wanted: Wanted, view: dict[tuple[str, str], Server]) -> tuple[bool, str]:
    """Whether every wanted server passes its checks (`drain`) or is UP (`ready`), and a line on those that do not."""
    waiting = []
    for name in wanted.servers:
        server = view[(wanted.backend, name)]
        good = server.up if server.admin_state == "ready" else server.checks_pass and server.admin_state == "drain"
        if not good:
            waiting.append("{0} is {1} ({2})".format(name, server.status, server.check_status or "unchecked"))
    return not waiting, ", ".join(waiting)


def remaining(wanted: Wanted, view: dict[tuple[str, str], Server]) -> list[str]:
    """Servers of the backend that would still be admitted and healthy without the wanted ones."""
    return sorted(
        server.name
        for server in view.values()
        if server.backend == wanted.backend and server.up and server.name not in wanted.servers
    )

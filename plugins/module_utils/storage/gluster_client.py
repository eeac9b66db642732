# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the GlusterFS daemon of this server, and tells it what to do."""

from __future__ import annotations

import time
from typing import Callable
from xml.etree.ElementTree import Element

from ..errors import DeadlineExceeded, PlatformError, Unreadable
from .gluster import (
    Backlog,
    Peer,
    Process,
    Volume,
    named,
    parse_answer,
    parse_clients,
    parse_heal,
    parse_peers,
    parse_status,
    parse_volumes,
)
from .health import Seen

# (argv) -> (return code, stdout, stderr)
Runner = Callable[["list[str]"], "tuple[int, str, str]"]
PAUSE = 0.5
# The cluster carries out one command at a time; whoever comes meanwhile is sent away with such words.
BUSY = ("Another transaction is in progress", "Locking failed")
BUSY_S = 30.0


class Gluster:
    """One server's daemon.

    Args:
        run: executes a command on the server.
        timeout: seconds that one command may take.
    """

    def __init__(self, run: Runner, timeout: int = 60) -> None:
        self._run = run
        self.timeout = timeout

    def peers(self) -> list[Peer]:
        """The other servers of its cluster."""
        return parse_peers(self._ask("peer", "status"))

    def volumes(self) -> dict[str, Volume]:
        """Every volume of its cluster, by name."""
        return parse_volumes(self._ask("volume", "info"))

    def learned(self, name: str, patience: float | None = None) -> Volume | None:
        """One volume. A server that has just joined a cluster is told of its volumes a moment later: waits for that."""
        end = time.monotonic() + (self.timeout if patience is None else patience)
        while True:
            volumes = self.volumes()
            if volumes or not self.peers() or time.monotonic() >= end:
                return volumes.get(name)
            time.sleep(PAUSE)

    def probe(self, server: str) -> None:
        """Take a server into the cluster, and wait until it is in. Raises PlatformError, DeadlineExceeded."""
        self._ask("peer", "probe", server)
        self.await_members([server])

    def members(self) -> set[str]:
        """Names of the servers that are in the cluster and connected."""
        return {name for peer in self.peers() if peer.member and peer.connected for name in peer.names}

    def await_members(self, servers: list[str]) -> None:
        """Wait until every one of these is in the cluster and connected. Raises DeadlineExceeded."""
        end = time.monotonic() + self.timeout
        while missing := sorted(set(servers) - self.members()):
            if time.monotonic() >= end:
                words = "{0} did not join within {1} s"
                raise DeadlineExceeded(words.format(", ".join(missing), self.timeout))
            time.sleep(PAUSE)

    def volume(self, *words: str) -> None:
        """Carry out `gluster volume WORDS`."""
        self._ask("volume", *words)

    def heal(self, name: str) -> None:
        """Begin to heal, once the volume's daemons have found each other. Raises DeadlineExceeded."""
        end = time.monotonic() + self.timeout
        while True:
            # It answers in words, whatever it is asked for.
            code, out, err = self._run(["gluster", "--mode=script", "volume", "heal", name])
            if code == 0:
                return
            if time.monotonic() >= end:
                words = "{0} does not begin to heal within {1} s: {2}"
                raise DeadlineExceeded(words.format(name, self.timeout, " ".join((out + " " + err).split())[:300]))
            time.sleep(PAUSE)

    def look(self, name: str) -> Seen:
        """All that a verdict over a volume is made of. Raises Unreadable when the daemon does not answer."""
        volume = self.volumes().get(name)
        peers = named(self.peers(), volume)
        if volume is None or not volume.started:
            return Seen(name, volume, peers, {}, None, None)
        backlog, split = self._heal(name), self._heal(name, "split-brain")
        return Seen(name, volume, peers, self._processes(name), backlog, split, self._clients(name))

    def _processes(self, name: str) -> dict[str, Process]:
        return parse_status(self._ask("volume", "status", name, "detail"))

    def _clients(self, name: str) -> dict[str, frozenset[str]]:
        return parse_clients(self._ask("volume", "status", name, "clients"))

    def _heal(self, name: str, *more: str) -> dict[str, Backlog] | None:
        try:
            return parse_heal(self._ask("volume", "heal", name, "info", *more))
        except Unreadable:
            raise
        except PlatformError:
            # Without a quorum nobody can say: unknown, which is never zero.
            return None

    def _ask(self, *words: str) -> Element:
        what = " ".join(words)
        argv = ["gluster", "--mode=script", "--xml", "--timeout={0}".format(self.timeout), *words]
        end = time.monotonic() + min(self.timeout, BUSY_S)
        while True:
            _code, out, err = self._run(argv)
            if not out.lstrip().startswith("<"):
                said = " ".join((out + " " + err).split())[:300] or "nothing"
                raise Unreadable("gluster {0} answered: {1}. Is glusterd running?".format(what, said))
            try:
                return parse_answer(out, what)
            except PlatformError as error:
                if time.monotonic() >= end or not any(sign in error.message for sign in BUSY):
                    raise
            time.sleep(PAUSE)

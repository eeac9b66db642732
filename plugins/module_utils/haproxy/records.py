# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxy's runtime API says, as records. Parses text, by column name and never by position; does no I/O.

Source: HAProxy management guide, sections 9.1 (CSV format), 9.3 (show servers state) and 9.4 (show proc).
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

from ..errors import Unreadable

ADMIN_MAINT = 0x01 | 0x02 | 0x04
ADMIN_DRAIN = 0x08 | 0x10
# Bits of srv_agent_state (HAProxy, include/haproxy/check-t.h: CHK_ST_CONFIGURED, CHK_ST_ENABLED).
AGENT_CONFIGURED, AGENT_ENABLED = 0x02, 0x04
# What is read of `show stat`.
STAT_COLUMNS = (
    "pxname", "svname", "type", "status", "check_status", "check_health", "check_rise", "check_fall", "scur", "qcur",
    "lastchg", "chkdown", "stot", "hrsp_5xx", "econ", "eresp", "qtime", "rtime",
)  # fmt: skip
# A line of `show peers` about somebody else.
PEER = re.compile(r"id=(\S+?)\(remote,[^)]*\).*?last_status=(\w+)")


@dataclass(frozen=True)
class Worker:
    """One HAProxy process that serves or served traffic. `current` is False for one left over by a reload."""

    pid: int
    current: bool


@dataclass(frozen=True)
class Server:
    """One server of one backend, as one worker sees it. Times in seconds, counters since that worker began."""

    backend: str
    name: str
    address: str
    admin: int
    weight: int
    initial_weight: int
    status: str
    check_status: str
    check_health: int
    check_rise: int
    check_fall: int
    sessions: int
    queue: int
    last_change: int
    check_downs: int
    total: int
    responses_5xx: int
    connect_errors: int
    response_errors: int
    queue_ms: int = 0
    response_ms: int = 0
    agent: int = 0

    @property
    def admin_state(self) -> str:
        """`maint`, `drain` or `ready`, read from the admin bits. The status text mixes intent and health."""
        if self.admin & ADMIN_MAINT:
            return "maint"
        return "drain" if self.admin & ADMIN_DRAIN else "ready"

    @property
    def has_agent(self) -> bool:
        """True when a load agent may set its weight."""
        return bool(self.agent & AGENT_CONFIGURED)

    @property
    def agent_speaks(self) -> bool:
        """True when a load agent sets its weight: then the weight of the moment is nobody's intent."""
        return self.has_agent and bool(self.agent & AGENT_ENABLED)

    @property
    def own_weight(self) -> int:
        """The weight that somebody gave it, which an agent that speaks only takes a share of."""
        return self.initial_weight if self.agent_speaks else self.weight

    @property
    def checks_pass(self) -> bool:
        """True when the last finished check passed and the server is at full health, as `rise` and `fall` count it.

        HAProxy puts "* " before the last result while the next check runs.
        """
        full = self.check_rise + self.check_fall - 1
        return self.check_status.replace("* ", "") in ("L7OK", "L6OK", "L4OK") and self.check_health >= full > 0

    @property
    def up(self) -> bool:
        """True when it takes new traffic and passes its checks. "UP 1/2" is a server on its way down: not up."""
        return self.admin_state == "ready" and self.status == "UP" and self.checks_pass

    @property
    def errors(self) -> int:
        """Requests that ended badly: 5xx, failed connections, broken answers (which count the server's aborts too)."""
        return self.responses_5xx + self.connect_errors + self.response_errors

    def counters(self, worker: int) -> dict[str, int]:
        """What it counted in this worker; counters begin at zero with each worker. Times are averages in ms."""
        return {
            "worker": worker,
            "requests": self.total,
            "errors": self.errors,
            "downs": self.check_downs,
            "response_ms": self.response_ms,
            "queue_ms": self.queue_ms,
        }


def parse_workers(text: str) -> list[Worker]:
    """Read `show proc`: the current worker and those a reload left behind.

    Raises Unreadable when no current worker is listed: then nobody serves, or this is not a master socket.
    """
    workers = []
    current = True
    for line in text.splitlines():
        if line.startswith("#"):
            current = "old" not in line
            continue
        fields = line.split()
        if len(fields) >= 2 and fields[0].isdigit() and fields[1] == "worker":
            workers.append(Worker(pid=int(fields[0]), current=current))
    if not any(worker.current for worker in workers):
        raise Unreadable("`show proc` lists no current worker: is this HAProxy's master socket?", reply=text[:400])
    return workers


def parse_tables(text: str) -> dict[str, bool]:
    """Read `show peers`: for each peer whether the connection that shares tables stands. Empty without peers."""
    return {name: status == "ESTA" for name, status in PEER.findall(text)}


def parse_servers(stat: str, state: str) -> dict[tuple[str, str], Server]:
    """Join `show stat` (traffic, health) and `show servers state` (admin bits) of one worker.

    Raises Unreadable for a server in one of the answers only, a missing column or a value that is no number.
    """
    admin_rows = {(row["be_name"], row["srv_name"]): row for row in _state_rows(state)}
    servers = {}
    for row in _stat_rows(stat):
        if row.get("svname") in ("FRONTEND", "BACKEND", None) or row.get("type") not in ("2", None):
            continue
        key = (row["pxname"], row["svname"])
        if key not in admin_rows:
            raise Unreadable("server {0}/{1} has statistics but no state".format(*key))
        servers[key] = _server(key, row, admin_rows[key])
    lost = sorted(set(admin_rows) - set(servers))
    if lost:
        raise Unreadable("server {0}/{1} has a state but no statistics".format(*lost[0]))
    return servers


def _server(key: tuple[str, str], stat: dict[str, str], state: dict[str, str]) -> Server:
    try:
        return Server(
            backend=key[0],
            name=key[1],
            address="{0}:{1}".format(state["srv_addr"], state.get("srv_port", "")),
            admin=int(state["srv_admin_state"]),
            weight=int(state["srv_uweight"]),
            initial_weight=int(state["srv_iweight"]),
            status=stat["status"],
            check_status=stat["check_status"],
            check_health=_number(stat["check_health"]),
            check_rise=_number(stat["check_rise"]),
            check_fall=_number(stat["check_fall"]),
            sessions=int(stat["scur"]),
            queue=int(stat["qcur"]),
            last_change=_number(stat["lastchg"]),
            check_downs=_number(stat["chkdown"]),
            total=_number(stat["stot"]),
            responses_5xx=_number(stat["hrsp_5xx"]),
            connect_errors=_number(stat["econ"]),
            response_errors=_number(stat["eresp"]),
            queue_ms=_number(stat.get("qtime", "")),
            response_ms=_number(stat.get("rtime", "")),
            agent=_number(state.get("srv_agent_state", "")),
        )
    except KeyError as error:
        raise Unreadable("HAProxy's answer about {0}/{1} lacks column {2}".format(key[0], key[1], error)) from error
    except ValueError as error:
        raise Unreadable("HAProxy's answer about {0}/{1} is not a number: {2}".format(key[0], key[1], error)) from error


def _number(text: str) -> int:
    """A counter that HAProxy leaves empty where it does not apply. Sessions and queue are never read this way."""
    return int(text) if text else 0


def _stat_rows(text: str) -> list[dict[str, str]]:
    if not text.startswith("# "):
        raise Unreadable("`show stat` does not begin with its header", reply=text[:400])
    try:
        rows = csv.reader(io.StringIO(text[2:].strip() + "\n"))
        names = next(rows)
        # A fifth of some hundred columns is read: for a thousand servers the rest costs more than all else.
        places = [(names.index(name), name) for name in STAT_COLUMNS if name in names]
        return [{name: row[place] for place, name in places} for row in rows if row]
    except csv.Error as error:
        raise Unreadable("`show stat` is not CSV: {0}".format(error), reply=text[:400]) from error
    except IndexError:
        raise Unreadable("`show stat` ends in the middle of a line", reply=text[-400:]) from None


def _state_rows(text: str) -> list[dict[str, str]]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or not lines[1].startswith("# "):
        raise Unreadable("`show servers state` does not begin with its header", reply=text[:400])
    names = lines[1][2:].split()
    rows = []
    for line in lines[2:]:
        values = line.split()
        if len(values) < 8:
            raise Unreadable("`show servers state` ends in the middle of a line", reply=line[:400])
        rows.append(dict(zip(names, values)))
    return rows

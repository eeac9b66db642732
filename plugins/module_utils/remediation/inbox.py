# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts that wait for the guard, in a SQLite file: what was answered 2xx is on the disk, and stays through any death.

An event is there once, by its key, however often it is delivered. It waits until somebody settles it: with an action
under way in between, if the guard permits one. Several threads and processes may use one file.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..errors import Refused, Unreadable
from ..guard.event import Event

WAITING, WORKING, SETTLED = "waiting", "working", "settled"
MOST_WAITING = 20000
PATIENCE = 10.0  # seconds that another's write is waited for

SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, starts_at REAL NOT NULL, status TEXT NOT NULL,
    alert TEXT NOT NULL, host TEXT NOT NULL, seen_at REAL NOT NULL, received_at REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting', due_at REAL NOT NULL,
    permit INTEGER, run TEXT NOT NULL DEFAULT '', verdict TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
    settled_at REAL);
CREATE INDEX IF NOT EXISTS event_due ON event (state, due_at);
"""
COLUMNS = (
    "fingerprint, starts_at, status, alert, host, seen_at, received_at, state, due_at, permit, run, verdict, reason"
)


@dataclass(frozen=True)
class Entry:
    """An event and how far it has come. Times in seconds since 1970 by this host's clock.

    due_at: when it is to be asked about (again). permit, run: of the action under way. verdict, reason: said last.
    """

    event: Event
    received_at: float
    state: str
    due_at: float
    permit: int | None
    run: str
    verdict: str
    reason: str


class Inbox:
    """The file. Every method raises Unreadable when it cannot be read or written: then nothing was taken."""

    def __init__(self, path: str) -> None:
        self.path = path
        with self._connected() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(SCHEMA)

    def put(self, events: Iterable[Event], now: float) -> tuple[int, int]:
        """Keep events; afterwards all of them are on the disk, or none. Returns how many are new, and how many known.

        One that is known and waits has been seen again. Raises Refused when too many wait.
        """
        new = known = 0
        with self._open() as database:
            waiting = _number(database, "SELECT count(*) FROM event WHERE state = ?", WAITING)
            for event in events:
                row = {**event.to_dict(), "key": event.key, "now": now}
                done = database.execute(
                    "INSERT INTO event (key, fingerprint, starts_at, status, alert, host, seen_at, received_at, due_at)"
                    " VALUES (:key, :fingerprint, :starts_at, :status, :alert, :host, :seen_at, :now, :now)"
                    " ON CONFLICT (key) DO NOTHING",
                    row,
                )
                new += done.rowcount
                if not done.rowcount:
                    known += 1
                    database.execute(
                        "UPDATE event SET seen_at = max(seen_at, :seen_at) WHERE key = :key AND state = 'waiting'", row
                    )
            if new and waiting + new > MOST_WAITING:
                raise Refused("{0} events wait already, at most {1} may".format(waiting, MOST_WAITING))
        return new, known

    def due(self, now: float, most: int = 100) -> list[Entry]:
        """What is to be asked about now, the longest due first."""
        return self._entries("state = 'waiting' AND due_at <= ? ORDER BY due_at, received_at, key LIMIT ?", now, most)

    def working(self) -> list[Entry]:
        """Actions that were begun and whose end is not known here. After a start, their runs are looked for."""
        return self._entries("state = 'working' ORDER BY due_at, key")

    def later(self, key: str, due_at: float, verdict: str, reason: str) -> None:
        """The guard said to wait. Raises Refused for an event that does not wait."""
        self._change("due_at = ?, verdict = ?, reason = ?", key, WAITING, due_at, verdict, reason)

    def begin(self, key: str, permit: int, run: str) -> None:
        """An action is about to begin, under this permit, as this run. Raises Refused for what does not wait."""
        self._change("state = 'working', permit = ?, run = ?, verdict = 'act'", key, WAITING, permit, run)

    def settle(self, key: str, verdict: str, reason: str, now: float) -> None:
        """It is over: refused, done, failed or lost. Raises Refused for one that is settled already, or not there."""
        values = (verdict, reason, now)
        self._change("state = 'settled', verdict = ?, reason = ?, settled_at = ?", key, (WAITING, WORKING), *values)

    def counts(self) -> dict[str, int]:
        """Events by state, for Prometheus."""
        with self._open() as database:
            found = dict(database.execute("SELECT state, count(*) FROM event GROUP BY state").fetchall())
        return {state: int(found.get(state, 0)) for state in (WAITING, WORKING, SETTLED)}

    def newest(self, most: int) -> list[Entry]:
        """For people: what came last, first."""
        return self._entries("1 ORDER BY received_at DESC, key LIMIT ?", most)

    def forget(self, before: float) -> int:
        """Drop what was settled before a time. Returns how many. What waits or is under way is never dropped."""
        with self._open() as database:
            return database.execute("DELETE FROM event WHERE state = 'settled' AND settled_at < ?", (before,)).rowcount

    def _change(self, what: str, key: str, states: str | tuple[str, ...], *values: object) -> None:
        allowed = (states,) if isinstance(states, str) else states
        marks = ", ".join("?" * len(allowed))
        with self._open() as database:
            # S608: `what` is written in this file.
            statement = "UPDATE event SET {0} WHERE key = ? AND state IN ({1})".format(what, marks)  # noqa: S608
            if not database.execute(statement, (*values, key, *allowed)).rowcount:
                raise Refused("no event {0} is {1}".format(key, " or ".join(allowed)))

    def _entries(self, where: str, *values: object) -> list[Entry]:
        with self._open() as database:
            # S608: `where` is written in this file.
            rows = database.execute("SELECT {0} FROM event WHERE {1}".format(COLUMNS, where), values).fetchall()  # noqa: S608
        return [Entry(Event(*row[:6]), *row[6:]) for row in rows]

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is on the disk when it ends, or has not been."""
        with self._connected() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)) as database:
                database.execute("PRAGMA synchronous = FULL")
                yield database
        except sqlite3.Error as error:
            raise Unreadable("{0} cannot be used: {1}".format(self.path, error)) from error


def _number(database: sqlite3.Connection, query: str, *values: object) -> int:
    return int(database.execute(query, values).fetchone()[0])

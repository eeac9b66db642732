# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches the log shipping of this host: log_watch.py look SPOOL ... | log_watch.py rewind SPOOL/TARGET.

`look`, again and again, reads rsyslog's own statistics of every target: what its queue holds goes to Prometheus, and
the place in the journal up to which it surely has everything to SPOOL/TARGET/safe.state. `rewind`, before its rsyslog
starts, has that read on from there: what a process held in memory when it ended, and what was under way to the log
server, is sent again. Standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

# Lines that may be in neither a queue's count nor a log server's acknowledgement: RELP's window of 128, and batches of
# 128 on their way from the memory's queue to the disk's, and from there to RELP.
UNDER_WAY = 512
PLACES = 1000  # that are remembered
LIMIT = 2**20  # bytes of statistics that are read at once, and kept
WORDS = {
    "queue_size": ("gauge", "Lines that wait for this target."),
    "sent_total": ("counter", "Lines handed to this target since rsyslog started."),
    "suspended": ("gauge", "1 while lines wait and this target takes none."),
    "discarded_total": ("counter", "Lines thrown away since rsyslog started, as this target's queue was full."),
    "statistics_timestamp_seconds": ("gauge", "When rsyslog last told this."),
}


def records(text: str) -> list[dict[str, Any]]:
    """The objects in rsyslog's statistics; a line that is none is passed over."""
    found = []
    for line in text.splitlines():
        try:
            record = json.loads(line[line.index("{") :])
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and isinstance(record.get("name"), str):
            found.append(record)
    return found


def amount(record: dict[str, Any], key: str) -> int:
    """A count; 0 where there is none."""
    value = record.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def target(latest: dict[str, dict[str, Any]], name: str, before: dict[str, Any]) -> dict[str, int] | None:
    """What is known of one target, by the records' names; None before rsyslog has told. `before`: the last answer.

    rsyslog's own count of what an action has processed is of what was put into its queue.
    """
    memory, disk = latest.get(name + " queue"), latest.get(name + " queue[DA]", {})
    if memory is None:
        return None
    waiting = amount(memory, "size") + amount(disk, "size")
    passed = amount(memory, "enqueued") - waiting
    gone = sum(amount(each, key) for each in (memory, disk) for key in ("discarded.full", "discarded.nf"))
    # What waited when rsyslog started was never counted as taken.
    saved = amount(before, "saved") if before else max(0, -passed)
    return {
        "queue_size": waiting,
        "sent_total": max(0, saved + passed - gone),
        "suspended": int(bool(before) and waiting > 0 and passed <= before.get("passed", passed)),
        "discarded_total": gone,
        "taken": amount(memory, "enqueued"),
        "passed": passed,
        "saved": saved,
    }


class Places:
    """Up to where in the journal a target has everything.

    A place is a cursor with the number of lines that had been taken at most when it was read. `safe` is the newest one
    that lies more than UNDER_WAY lines behind what has left the queue.
    """

    def __init__(self, known: dict[str, Any]) -> None:
        self.safe: str | None = known.get("safe")
        self.pending: str | None = known.get("pending")
        self.places: list[list[Any]] = [
            list(place) for place in known.get("places", []) if isinstance(place, list) and len(place) == 2
        ]

    def look(self, told: dict[str, int] | None, cursor: str | None) -> None:
        """Take statistics that are younger than the pending cursor, and the cursor of now, which waits for the next."""
        if told:
            if self.pending and (not self.places or self.places[-1][0] != self.pending):
                self.places.append([self.pending, told["taken"]])
            while self.places and self.places[0][1] <= told["passed"] - UNDER_WAY:
                self.safe = self.places.pop(0)[0]
            # Of too many, every second goes: a coarser way back.
            if len(self.places) > PLACES:
                self.places = self.places[::2]
        self.pending = cursor or self.pending

    def known(self) -> dict[str, Any]:
        """As it is kept."""
        return {"safe": self.safe, "pending": self.pending, "places": self.places}


def textfile(targets: dict[str, dict[str, int]]) -> str:
    """What Prometheus reads."""
    lines = []
    for word, (kind, about) in WORDS.items():
        name = "steadfast_log_" + word
        lines += ["# HELP {0} {1}".format(name, about), "# TYPE {0} {1}".format(name, kind)]
        lines += ['{0}{{target="{1}"}} {2}'.format(name, key, amount(targets[key], word)) for key in sorted(targets)]
    return "\n".join(lines) + "\n"


def replace(path: str, text: str, mode: int) -> None:
    """Write a file whole, or leave it; it belongs to whom its folder belongs to. Raises OSError."""
    folder = os.path.dirname(path)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".watch.")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
        os.chmod(temporary, mode)
        if os.geteuid() == 0:
            owner = os.stat(folder)
            os.chown(temporary, owner.st_uid, owner.st_gid)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def content(path: str) -> str:
    """A short file; nothing where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read(LIMIT)
    except OSError:
        return ""


def news(path: str, offset: int) -> tuple[str, int]:
    """What was added to a file since, and how long it is now. One that has grown long is emptied."""
    try:
        with open(path, "rb+") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(offset if offset <= size else 0, size - LIMIT))
            text = stream.read(LIMIT).decode("utf-8", "replace")
            if size > LIMIT:
                # rsyslog appends, wherever the end is.
                stream.truncate(0)
                size = 0
    except OSError:
        return "", 0
    return text, size


@contextlib.contextmanager
def alone(spool: str) -> Iterator[None]:
    """Nobody else looks or rewinds meanwhile. Opened so that either user may have made the lock."""
    with open(os.open(os.path.join(spool, "lock"), os.O_RDONLY | os.O_CREAT, 0o644), encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def look(spool: str, statistics: str, name: str) -> dict[str, int] | None:
    """Read what is new of one target. Returns what was told last, or None; its age is among it."""
    path = os.path.join(spool, "watch.json")
    try:
        known = json.loads(content(path))
    except ValueError:
        known = {}
    known = known if isinstance(known, dict) else {}
    cursor = content(os.path.join(spool, "journal.state")).strip() or None
    text, offset = news(statistics, amount(known, "offset"))
    last = known.get("told") if isinstance(known.get("told"), dict) else {}
    told = target({record["name"]: record for record in records(text)}, name, last)
    places = Places(known)
    before = places.safe
    places.look(told, cursor)
    if places.safe and places.safe != before:
        replace(os.path.join(spool, "safe.state"), places.safe, 0o640)
    if told:
        last = {**told, "statistics_timestamp_seconds": int(time.time())}
    replace(path, json.dumps({**places.known(), "offset": offset, "told": last}) + "\n", 0o640)
    return last or None


def rewind(spool: str) -> None:
    """Have rsyslog read on from the safe place. It will count from zero, so places with old counts are forgotten."""
    safe = content(os.path.join(spool, "safe.state"))
    if safe:
        replace(os.path.join(spool, "journal.state"), safe, 0o640)
    replace(os.path.join(spool, "watch.json"), json.dumps({"safe": safe or None}) + "\n", 0o640)


def main(argv: list[str]) -> int:
    """Entry point. Raises OSError when what was read cannot be kept."""
    parser = argparse.ArgumentParser(prog="log_watch.py")
    parser.add_argument("word", choices=("look", "rewind"))
    parser.add_argument("spool", help="folder of the queues; to rewind, of one target's")
    parser.add_argument("--statistics", default="", help="folder of rsyslog's statistics, TARGET/statistics")
    parser.add_argument("--metrics", default="", help="folder for Prometheus")
    parser.add_argument("--target", action="append", default=[], help="a target's name")
    options = parser.parse_args(argv)
    if options.word == "rewind":
        with alone(options.spool):
            rewind(options.spool)
        return 0
    told = {}
    for name in options.target:
        spool = os.path.join(options.spool, name)
        with alone(spool):
            told[name] = look(spool, os.path.join(options.statistics, name, "statistics"), name)
    text = textfile({name: found for name, found in told.items() if found is not None})
    replace(os.path.join(options.metrics, "steadfast_log_ship.prom"), text, 0o644)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

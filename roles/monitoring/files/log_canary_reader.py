# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells which numbers of the hosts' canaries are missing: log_canary_reader.py FOLDER METRICS.

The log server writes a line for each number that comes to FOLDER/canary-YYYY-MM-DD.log. Lines come late, twice and in
any order, and whoever can log can write nonsense into them. What was read is remembered in FOLDER/canary.json, so that
no line is counted twice; without it everything that is still there is read again. Standard library only.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import Any

LINE = re.compile(
    r"(?P<said>\d{1,11}) (?P<came>\d{1,11}) (?P<source>[A-Za-z0-9._-]{1,100}) +"
    r"life=(?P<life>[0-9a-f]{16}) number=(?P<number>\d{1,15}) before=(?P<before>\d{1,15})",
    re.ASCII,
)
FILE = re.compile(r"canary-\d{4}-\d{2}-\d{2}\.log")
SOURCES = 1000  # that are kept apart
LIVES = 3  # of a source: its disk may have been replaced
GAPS = 1000  # numbers of a source that may come late
LEAP = 1_000_000  # numbers; whoever leaves out more at once is not believed (115 days of a number every 10 s)
PATIENCE = 3600.0  # seconds in which a missing number may come late
SILENCE = 7 * 86400.0  # seconds after which a source is forgotten
PART = 2**22  # bytes that are read at once
LONGEST = 400  # bytes of a line


@dataclass(frozen=True)
class Word:
    """A line. `said` and `came` are seconds since 1970, by the sender's and by this host's clock."""

    source: str
    life: str
    number: int
    before: int
    said: int
    came: int


def read(line: str) -> Word | None:
    """A canary's line, or None."""
    found = LINE.fullmatch(line)
    if found is None:
        return None
    number, before = int(found["number"]), int(found["before"])
    if before >= number:
        return None
    return Word(found["source"], found["life"], number, before, int(found["said"]), int(found["came"]))


@dataclass
class Life:
    """The numbers of one life of a source."""

    highest: int
    # Number: when it was first missed.
    missing: dict[int, float] = field(default_factory=dict)


@dataclass
class Source:
    """What came from one host."""

    lives: dict[str, Life] = field(default_factory=dict)
    sequence: int = 0
    lost: int = 0
    repeated: int = 0
    said: int = 0
    came: int = 0

    def heard(self, word: Word, now: float) -> bool:
        """Take a word; False when it is not to be believed."""
        life = self.lives.get(word.life)
        if life is None:
            # What was before the first that came is unknown: this server may be newer than the source.
            self.lives[word.life] = Life(word.number)
            while len(self.lives) > LIVES:
                self.lost += len(self.lives.pop(next(iter(self.lives))).missing)
        elif word.number - life.highest > LEAP:
            return False
        elif word.number > life.highest:
            self._leap(life, word, now)
        elif life.missing.pop(word.number, None) is None:
            self.repeated += 1
            return True
        self.came = max(self.came, min(word.came, int(now)))
        if word.number >= self.lives[word.life].highest:
            self.sequence = word.number
            # A clock that is ahead does not make its host fresh.
            self.said = min(word.said, word.came)
        return True

    def _leap(self, life: Life, word: Word, now: float) -> None:
        """All between are missing, but those that were never said."""
        first = life.highest + 1
        life.highest = word.number
        last = min(word.before, word.number - 1)
        kept = max(first, last - GAPS + 1)
        self.lost += max(0, kept - first)
        for number in range(kept, last + 1):
            life.missing[number] = now
        while len(life.missing) > GAPS:
            life.missing.pop(next(iter(life.missing)))
            self.lost += 1

    def missing(self) -> int:
        """Numbers that may yet come."""
        return sum(len(life.missing) for life in self.lives.values())

    def give_up(self, now: float) -> None:
        """What has been missing for long is lost."""
        for life in self.lives.values():
            late = [number for number, since in life.missing.items() if now - since > PATIENCE]
            for number in late:
                del life.missing[number]
            self.lost += len(late)


@dataclass
class Flock:
    """All sources."""

    sources: dict[str, Source] = field(default_factory=dict)
    refused: int = 0

    def heard(self, line: str, now: float) -> None:
        """Take a line, whatever it is."""
        word = read(line)
        if word is None or (word.source not in self.sources and len(self.sources) >= SOURCES):
            self.refused += 1
            return
        if not self.sources.setdefault(word.source, Source()).heard(word, now):
            self.refused += 1

    def settle(self, now: float) -> None:
        """Give up what is late, and forget who is gone."""
        for source in self.sources.values():
            source.give_up(now)
        self.sources = {name: source for name, source in self.sources.items() if now - source.came <= SILENCE}

    def textfile(self) -> str:
        """What Prometheus reads."""
        rows = (
            ("sequence", "gauge", "The newest number that came.", lambda each: each.sequence),
            ("missing", "gauge", "Numbers that were left out and may yet come.", lambda each: each.missing()),
            ("missing_total", "counter", "Numbers that never came.", lambda each: each.lost),
            ("repeated_total", "counter", "Numbers that came again.", lambda each: each.repeated),
            ("last_timestamp_seconds", "gauge", "When the newest number was said.", lambda each: each.said),
            ("received_timestamp_seconds", "gauge", "When a number last came.", lambda each: each.came),
        )
        lines = []
        for word, kind, about, value in rows:
            name = "steadfast_log_canary_" + word
            lines += ["# HELP {0} {1}".format(name, about), "# TYPE {0} {1}".format(name, kind)]
            lines += [
                '{0}{{source="{1}"}} {2}'.format(name, key, value(self.sources[key])) for key in sorted(self.sources)
            ]
        name = "steadfast_log_canary_refused_total"
        lines += ["# HELP {0} Lines that no canary says.".format(name), "# TYPE {0} counter".format(name)]
        return "\n".join([*lines, "{0} {1}".format(name, self.refused)]) + "\n"

    def known(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "refused": self.refused,
            "sources": {
                name: {
                    **{key: getattr(source, key) for key in COUNTS},
                    "lives": [
                        [life, found.highest, sorted(found.missing.items())] for life, found in source.lives.items()
                    ],
                }
                for name, source in self.sources.items()
            },
        }


COUNTS = ("sequence", "lost", "repeated", "said", "came")


def recalled(known: dict[str, Any]) -> Flock:
    """The flock as it was kept. Raises ValueError, TypeError, KeyError or AttributeError."""
    sources = {}
    for name, kept in known["sources"].items():
        source = Source(**{key: int(kept[key]) for key in COUNTS})
        for life, highest, missing in kept["lives"]:
            source.lives[str(life)] = Life(int(highest), {int(number): float(since) for number, since in missing})
        sources[str(name)] = source
    return Flock(sources, int(known["refused"]))


def part(path: str, offset: int) -> tuple[list[str], int]:
    """Whole lines from here, as many as are read at once, and where the next begins. Raises OSError."""
    with open(path, "rb") as stream:
        stream.seek(offset)
        data = stream.read(PART)
    end = data.rfind(b"\n") + 1
    if not end:
        # A line that never ends is passed over.
        return ([], offset + len(data)) if len(data) > LONGEST else ([], offset)
    lines = [line[:LONGEST].decode("ascii", "replace") for line in data[:end].splitlines()]
    return lines, offset + end


def replace(path: str, text: str) -> None:
    """Write a file whole, or leave it. Raises OSError."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".canary.")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def remembered(path: str) -> tuple[Flock, dict[str, int]]:
    """The flock, and how far each file was read. Begun anew where that cannot be read."""
    try:
        with open(path, encoding="utf-8") as stream:
            known = json.load(stream)
        return recalled(known), {str(name): int(offset) for name, offset in known["read"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Flock(), {}


def main(argv: list[str]) -> int:
    """Entry point. Raises OSError when what was read cannot be kept."""
    folder, metrics = argv[:2]
    state = os.path.join(folder, "canary.json")
    flock, offsets = remembered(state)
    files = sorted(name for name in os.listdir(folder) if FILE.fullmatch(name))
    now = time.time()
    for name in files:
        path = os.path.join(folder, name)
        begin = min(offsets.get(name, 0), os.path.getsize(path))
        lines, offsets[name] = part(path, begin)
        for line in lines:
            flock.heard(line, now)
        if offsets[name] < os.path.getsize(path) and len(lines) > 1:
            # The rest at the next look, before what is younger.
            break
    flock.settle(now)
    offsets = {name: offset for name, offset in offsets.items() if name in files}
    replace(state, json.dumps({**flock.known(), "read": offsets}) + "\n")
    replace(os.path.join(metrics, "steadfast_log_canary.prom"), flock.textfile())
    for name in files[:-2]:
        if offsets.get(name, 0) >= os.path.getsize(os.path.join(folder, name)):
            os.unlink(os.path.join(folder, name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

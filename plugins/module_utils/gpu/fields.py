# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values out of what nvidia-smi says of a GPU. What is not known is None, with its reason: never zero, never no."""

from __future__ import annotations

import re

from .tree import Node

# Reasons. Any other reason is what was said instead of a value.
MISSING, NOT_APPLICABLE, EMPTY = "missing", "not applicable", "empty"

ABSENT = {"n/a", "not supported", "requested functionality has been deprecated"}
# Said in the place of any value. "None" is none of them: it is a value of some fields.
TROUBLED = re.compile(
    r"unknown|err!|requires? reset|is lost|not found|insufficient permission|uninitialized|timeout", re.IGNORECASE
)
NUMBER = re.compile(r"(-?\d{1,18}(?:\.\d{1,6})?)(?: ?(?:[A-Za-z%/]+|bank\(s\)))?", re.ASCII)
# Readings that a library leaves blank arrive as numbers near the end of 64 bits.
BLANK = 2**53
FLAGS = {
    "yes": True, "no": False, "enabled": True, "disabled": False, "on": True, "off": False,
    "active": True, "not active": False,
}  # fmt: skip


class Reader:
    """One element's values. Collects by field why a value is unknown."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.unknown: dict[str, str] = {}

    def text(self, field: str, *paths: str) -> str | None:
        """The first known words at these paths, which generations of the schema call differently."""
        reasons = []
        for path in paths:
            said = _said(self._node, path)
            if said is None:
                continue
            reason = _reason(said)
            if reason is None:
                return said
            reasons.append(reason)
        self.unknown[field] = reasons[0] if reasons else MISSING
        return None

    def number(self, field: str, *paths: str, least: float = 0) -> float | None:
        """A number without its unit."""
        said = self.text(field, *paths)
        if said is None:
            return None
        found = NUMBER.fullmatch(said)
        if found is None or not least <= float(found[1]) < BLANK:
            self.unknown[field] = "no such number: {0!r}".format(said[:40])
            return None
        return float(found[1])

    def count(self, field: str, *paths: str) -> int | None:
        """A number of things."""
        value = self.number(field, *paths)
        if value is not None and value != int(value):
            self.unknown[field] = "no whole number: {0}".format(value)
            return None
        return None if value is None else int(value)

    def flag(self, field: str, *paths: str) -> bool | None:
        """Yes or no, in any of nvidia-smi's words for them."""
        said = self.text(field, *paths)
        if said is None:
            return None
        value = FLAGS.get(said.lower())
        if value is None:
            self.unknown[field] = "neither yes nor no: {0!r}".format(said[:40])
        return value

    def total(self, field: str, *parts: str) -> int | None:
        """The sum of counts, unknown when one of them is."""
        counts = [self.count(field, part) for part in parts]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def matching(self, field: str, pattern: re.Pattern[str], *paths: str) -> str | None:
        """Words of a known form."""
        said = self.text(field, *paths)
        if said is not None and not pattern.fullmatch(said):
            self.unknown[field] = "not of the known form: {0!r}".format(said[:60])
            return None
        return said

    def has(self, path: str) -> bool:
        """Whether the schema of this answer has a field."""
        return _said(self._node, path) is not None


def _said(node: Node, path: str) -> str | None:
    """What is said at a path, or of the whole that it is a part of: <remapped_rows>N/A</remapped_rows>.

    None when there is no such element, or when it has parts where a value was.
    """
    here = node
    for name in path.split("/"):
        found = here.find(name)
        if found is None:
            whole = _words(here)
            return whole if here is not node and _reason(whole) not in (None, EMPTY) else None
        here = found
    return None if here.children else _words(here)


def _words(node: Node) -> str:
    return node.text.strip().strip("[]").strip() if not node.children else ""


def _reason(said: str) -> str | None:
    """Why this is no value; None when it is one."""
    if not said:
        return EMPTY
    if said.lower() in ABSENT:
        return NOT_APPLICABLE
    return said[:80] if TROUBLED.search(said) else None

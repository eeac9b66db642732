# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what others wrote (alerts, facts, a policy): a bad shape becomes a sentence with its place, never a KeyError.

Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import PlatformError

# Names of hosts, alerts, pools, actions, sources. They end up on screens and in the log.
NAME = re.compile(r"[\w][\w.:@/+ -]{0,252}", re.ASCII)


class Reader:
    """Collects everything that is wrong; what cannot be read is replaced by something harmless until `finish`."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def finish(self, error: type[PlatformError], what: str) -> None:
        """Raise the error when anything was wrong."""
        if self.wrong:
            raise error("{0}: {1}".format(what, "; ".join(self.wrong)), reasons=list(self.wrong))

    def complain(self, where: str, value: Any, need: str) -> None:
        """Note that something is not what it must be."""
        self.wrong.append("{0} is {1}, but must be {2}".format(where, _shown(value), need))

    def mapping(self, where: str, value: Any, known: Iterable[str] | None = None) -> Mapping[str, Any]:
        """A mapping with text as keys; unknown keys are wrong where the known ones are given."""
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            self.complain(where, value, "a mapping")
            return {}
        strange = sorted(set(value) - set(known)) if known is not None else []
        if strange:
            self.wrong.append(
                "{0} has {1}, which is not known (known: {2})".format(
                    where, ", ".join(key[:40] for key in strange[:5]), ", ".join(sorted(known or ()))
                )
            )
        return value

    def number(self, where: str, value: Any, least: float, most: float, whole: bool = False) -> float:
        """A number within limits."""
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if not good or not least <= value <= most or (whole and value != int(value)):
            kind = "a whole number" if whole else "a number"
            self.complain(where, value, "{0} from {1:.12g} to {2:.12g}".format(kind, least, most))
            return least
        return float(value)

    def name(self, where: str, value: Any) -> str:
        """A name."""
        if not isinstance(value, str) or not NAME.fullmatch(value):
            self.complain(where, value, "a name of letters, digits and . : @ / + - _")
            return ""
        return value

    def names(self, where: str, value: Any) -> tuple[str, ...]:
        """A list of names, each once."""
        if not isinstance(value, (list, tuple)):
            self.complain(where, value, "a list of names")
            return ()
        found = [self.name("{0}[{1}]".format(where, place), each) for place, each in enumerate(value)]
        return tuple(dict.fromkeys(each for each in found if each))

    def flag(self, where: str, value: Any) -> bool:
        """True or false, and nothing that merely looks like it."""
        if not isinstance(value, bool):
            self.complain(where, value, "true or false")
            return False
        return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

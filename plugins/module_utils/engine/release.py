# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release as a record: what a model server should run. Immutable; says how it starts and how it is asked."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import Refused, Unreadable
from .question import Question

NAME = re.compile(r"^[a-z0-9][a-z0-9._-]{0,63}\Z")
SHA256 = re.compile(r"^[0-9a-f]{64}\Z")
# The unit sets these, so that an address or a port may change without making another release.
FROM_UNIT = re.compile(r"^\$[A-Z][A-Z0-9_]*\Z")


@dataclass(frozen=True)
class Release:
    """One release of one pool, as it lies in release.json."""

    name: str
    model: str
    identity: str
    engine: str
    engine_version: str
    artifact: str
    sha256: str
    command: tuple[str, ...]
    ready_path: str = "/health"
    models_path: str = "/v1/models"
    completion_path: str = "/v1/completions"
    metrics_path: str = "/metrics"
    running_metrics: tuple[str, ...] = ()
    progress_metrics: tuple[str, ...] = ()
    start_deadline: float = 600.0

    def check(self) -> None:
        """Raises Refused for a field that could escape its folder or can never be verified."""
        for field, value in (("release", self.name), ("artifact", self.artifact)):
            if not NAME.match(value.lower()) or "/" in value:
                raise Refused("{0} name {1!r} must match {2}".format(field, value, NAME.pattern))
        if not SHA256.match(self.sha256):
            raise Refused("release {0}: sha256 {1!r} is not 64 hexadecimal digits".format(self.name, self.sha256))
        if not self.command:
            raise Refused("release {0} has no command".format(self.name))

    def question(self) -> Question:
        """What to ask an engine to prove that it serves this release."""
        return Question(self.model, self.identity, self.ready_path, self.models_path, self.completion_path)

    def start_script(self) -> str:
        """The program that the unit executes: the engine with its arguments."""
        words = ['"{0}"'.format(word) if FROM_UNIT.match(word) else shlex.quote(word) for word in self.command]
        return "#!/bin/sh\n# Release {0}: {1} {2}, model {3}.\nexec {4}\n".format(
            self.name, self.engine, self.engine_version, self.model, " \\\n  ".join(words)
        )

    def document(self) -> str:
        """release.json."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"


def parse_release(text: str) -> Release:
    """Read release.json. Raises Unreadable when a field is missing or of the wrong kind."""
    try:
        data: dict[str, Any] = dict(json.loads(text))
        # Releases staged by an earlier version say nothing of progress.
        data.setdefault("progress_metrics", [])
        for field in ("command", "running_metrics", "progress_metrics"):
            data[field] = tuple(data[field])
        return Release(**data)
    except (ValueError, TypeError, KeyError) as error:
        raise Unreadable("release.json is not a release: {0}".format(error)) from error


def differences(old: Release, new: Release) -> list[str]:
    """Fields in which two releases of one name differ, for the message that a release is immutable."""
    before, after = asdict(old), asdict(new)
    return ["{0}: {1!r} -> {2!r}".format(key, before[key], after[key]) for key in before if before[key] != after[key]]


def superseded(ages: dict[str, float], active: str | None, keep: int) -> list[str]:
    """Releases to prune: all but the active one and the `keep` most recently used others.

    Args:
        ages: release name to the time it was last staged or activated, in seconds since any epoch.
    """
    others = sorted((name for name in ages if name != active), key=lambda name: (ages[name], name), reverse=True)
    return sorted(others[keep:])

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that an engine serves the intended release: ready, the right identity, one real completion."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any, Callable

from ..errors import PlatformError, Unreadable
from .answers import completion_text, served_models
from .client import Engine
from .question import Question


@dataclass
class Proof:
    """The steps taken so far: name, seconds, and what was seen."""

    steps: list[dict[str, Any]] = field(default_factory=list)

    def add(self, step: str, began: float, seen: str) -> None:
        """Record a step that passed."""
        self.steps.append({"step": step, "ok": True, "seconds": round(time.monotonic() - began, 3), "seen": seen[:200]})

    def failed(self, step: str, began: float, error: PlatformError) -> PlatformError:
        """Record a step that failed, and return the error to raise."""
        seen = str(error.evidence.get("seen", error.message))[:200]
        self.steps.append({"step": step, "ok": False, "seconds": round(time.monotonic() - began, 3), "seen": seen})
        return type(error)("{0}: {1}".format(step, error.message), **dict(error.evidence, **asdict(self)))


def prove(engine: Engine, question: Question, deadline: float, alive: Callable[[], None] = lambda: None) -> Proof:
    """Run the proof. `deadline` is the seconds that becoming ready may take; `alive` raises when waiting is in vain.

    Raises PlatformError that names the step which failed and what was seen; its evidence has all steps.
    """
    proof = Proof()
    checks: dict[str, Callable[[], str]] = {
        "readiness": lambda: _ready(engine, question, deadline, alive),
        "identity": lambda: _identity(engine, question),
        "completion": lambda: _completion(engine, question),
    }
    for step, check in checks.items():
        began = time.monotonic()
        try:
            proof.add(step, began, check())
        except PlatformError as error:
            raise proof.failed(step, began, error) from error
    return proof


def _ready(engine: Engine, question: Question, deadline: float, alive: Callable[[], None]) -> str:
    end = time.monotonic() + deadline
    while True:
        alive()
        try:
            answer = engine.get(question.ready_path)
            seen = "HTTP {0} {1}".format(answer.status, answer.body[:100].strip())
            if answer.status == 200:
                return seen
        except Unreadable as error:
            seen = error.message
        if time.monotonic() >= end:
            raise Unreadable(
                "{0}{1} not ready after {2:g} s: {3}".format(engine.url, question.ready_path, deadline, seen)
            )
        time.sleep(0.1)


def _identity(engine: Engine, question: Question) -> str:
    wanted = question.identity or question.model
    answer = engine.get(question.models_path)
    names = served_models(answer.body) if answer.status == 200 else []
    if wanted not in names:
        raise Unreadable(
            "{0} should serve {1!r} but serves {2}".format(
                engine.url, wanted, ", ".join(map(repr, names)) or "nothing"
            ),
            seen="HTTP {0} {1}".format(answer.status, answer.body[:200]),
        )
    return wanted


def _completion(engine: Engine, question: Question) -> str:
    answer = engine.post(question.completion_path, question.completion())
    if answer.status != 200:
        raise Unreadable("a completion was answered with HTTP {0}".format(answer.status), seen=answer.body[:200])
    return completion_text(answer.body)

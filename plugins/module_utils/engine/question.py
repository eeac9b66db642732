# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine is asked in order to prove itself. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Question:
    """What to ask. `model` is the name a client sends, `identity` the name that only the intended release has."""

    model: str
    identity: str | None = None
    ready_path: str = "/health"
    models_path: str = "/v1/models"
    completion_path: str = "/v1/completions"
    prompt: str = "Hello"
    max_tokens: int = 4

    def completion(self) -> dict[str, Any]:
        """The body of the completion request, for either of the two OpenAI-compatible interfaces."""
        body: dict[str, Any] = {"model": self.model, "max_tokens": self.max_tokens, "temperature": 0}
        if self.completion_path.endswith("/chat/completions"):
            body["messages"] = [{"role": "user", "content": self.prompt}]
        else:
            body["prompt"] = self.prompt
        return body

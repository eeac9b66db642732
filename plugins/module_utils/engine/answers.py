# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inference engine answers, as values. Every byte of it may be hostile: parse, never trust. Does no I/O."""

from __future__ import annotations

import json
import math
from typing import Any

from ..errors import Unreadable


def served_models(body: str) -> list[str]:
    """Names in an answer of the OpenAI-compatible `/v1/models`, aliases too where an engine lists them."""
    names: list[str] = []
    for entry in _items(_json(body), "data"):
        names += [name for name in [entry.get("id"), *_strings(entry.get("aliases"))] if isinstance(name, str)]
    return names


def completion_text(body: str) -> str:
    """The text of the first choice of a `/v1/completions` or `/v1/chat/completions` answer.

    Raises Unreadable when there is none: an error object, no choices, or an empty text.
    """
    answer = _json(body)
    choices = _items(answer, "choices")
    if not choices:
        raise Unreadable("the answer has no choices", seen=body[:200])
    message = choices[0].get("message")
    text = choices[0].get("text") if message is None else message.get("content") if isinstance(message, dict) else None
    if not isinstance(text, str) or not text:
        raise Unreadable("the first choice has no text", seen=body[:200])
    return text


def metric_total(body: str, names: list[str]) -> float:
    """Sum of all samples of the named Prometheus metrics, for example running plus waiting requests.

    Raises Unreadable when one of the names is absent or is no finite number: unknown is never zero.
    """
    total = 0.0
    for name in names:
        values = [_sample(line) for line in body.splitlines() if line.startswith((name + " ", name + "{"))]
        if not values:
            raise Unreadable("the engine's metrics do not contain {0}".format(name))
        total += sum(values)
    return total


def _sample(line: str) -> float:
    rest = line.rpartition("}")[2] if "}" in line else line.partition(" ")[2]
    try:
        value = float(rest.split()[0])
    except (IndexError, ValueError) as error:
        raise Unreadable("metric line not understood: {0}".format(line[:200])) from error
    if not math.isfinite(value):
        raise Unreadable("metric is not a finite number: {0}".format(line[:200]))
    return value


def _json(body: str) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable("the answer is not JSON: {0}".format(error), seen=body[:200]) from error
    if not isinstance(answer, dict):
        raise Unreadable("the answer is not a JSON object", seen=body[:200])
    return answer


def _items(answer: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = answer.get(key)
    if not isinstance(value, list):
        raise Unreadable("the answer has no list {0!r}".format(key), seen=str(answer)[:200])
    return [entry for entry in value if isinstance(entry, dict)]


def _strings(value: Any) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []

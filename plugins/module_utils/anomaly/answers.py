# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prometheus answers to an instant query, as values. Every byte of it may be hostile: parse, never trust."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import Unreadable
from .score import usable

# Values in one answer. A byte or two of JSON become an object of 60: an answer may be small and fill the memory.
MOST_VALUES = 1_000_000
LONGEST_LABEL, LONGEST_NUMBER = 256, 64


class Sample(NamedTuple):
    """A series' labels, and its value: None where it is none that a detector could use."""

    labels: dict[str, str]
    value: float | None


def samples(body: bytes) -> list[Sample]:
    """The samples of an answer. Raises Unreadable, whose evidence `reason` is not_json, refused or malformed."""
    answer = _json(body)
    if answer.get("status") != "success":
        told = "{0}: {1}".format(answer.get("errorType"), answer.get("error"))
        raise Unreadable("Prometheus says {0}".format(told[:300]), reason="refused")
    data = answer.get("data")
    kind, result = (data.get("resultType"), data.get("result")) if isinstance(data, dict) else (None, None)
    if kind == "scalar":
        return [Sample({}, _value(result))]
    if kind != "vector" or not isinstance(result, list):
        raise _malformed("a vector is wanted, not {0!r}".format(str(kind)[:80]))
    return [_sample(entry) for entry in result]


def says_yes(body: bytes) -> bool:
    """Whether there is any sample that is not zero. Raises Unreadable."""
    return any(sample.value != 0 for sample in samples(body))


def key(labels: dict[str, str], names: Sequence[str]) -> tuple[str, ...]:
    """What a series is told from others by; a label that it does not have is empty, as in PromQL."""
    return tuple(labels.get(name, "") for name in names)


def _json(body: bytes) -> dict[str, Any]:
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > MOST_VALUES:
        raise Unreadable("the answer has more than {0} values".format(MOST_VALUES), reason="too_large")
    try:
        # Integers of a million digits take minutes as such, and nothing as floating point.
        answer = json.loads(body.decode("utf-8"), parse_int=float)
    except (ValueError, RecursionError) as error:
        raise Unreadable("the answer is not JSON: {0}".format(str(error)[:200]), reason="not_json") from error
    if not isinstance(answer, dict):
        raise _malformed("the answer is no object")
    return answer


def _sample(entry: Any) -> Sample:
    labels, value = (entry.get("metric"), entry.get("value")) if isinstance(entry, dict) else (None, None)
    if not isinstance(labels, dict):
        raise _malformed("a sample has no labels")
    return Sample({name: _text(text) for name, text in labels.items()}, _value(value))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _malformed("a label is no text")
    # JSON can hold halves of characters, which cannot be written down again.
    return value[:LONGEST_LABEL].encode("utf-8", "replace").decode("utf-8")


def _value(pair: Any) -> float | None:
    text = pair[1] if isinstance(pair, list) and len(pair) == 2 else None
    if not isinstance(text, str) or len(text) > LONGEST_NUMBER:
        raise _malformed("a sample has no value")
    try:
        value = float(text)
    except ValueError as error:
        raise _malformed("{0!r} is no value".format(text)) from error
    return value if usable(value) else None


def _malformed(what: str) -> Unreadable:
    return Unreadable("the answer is not understood: {0}".format(what), reason="malformed")

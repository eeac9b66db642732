# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many numbers as one text: single precision, least byte first, base64. Ten thousand models are to fit on a disk."""

from __future__ import annotations

import base64
import binascii
import math
import sys
from array import array
from collections.abc import Iterable, Mapping
from typing import Any, Final

from .score import LARGEST

SINGLE: Final = "f"
SMALL: Final = "H"


def pack(numbers: array[Any]) -> str:
    """An array's text."""
    return base64.b64encode(_little(numbers).tobytes()).decode("ascii")


def unpack(text: Any, most: int, kind: str = SINGLE) -> array[Any]:
    """The array of a text, of `most` numbers or fewer. Raises ValueError for anything else."""
    found: array[Any] = array(kind)
    if not isinstance(text, str) or len(text) > 4 * (most * found.itemsize // 3 + 1):
        raise ValueError("no packed numbers, or more than {0}".format(most))
    try:
        found.frombytes(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise ValueError("packed numbers are damaged: {0}".format(error)) from error
    if len(found) > most:
        raise ValueError("more than {0} packed numbers".format(most))
    return _little(found)


def valid(numbers: Iterable[float], gaps: bool = False) -> None:
    """Raises ValueError when there is one that is no value; with `gaps`, NaN is one that is missing."""
    known = [each for each in numbers if not gaps or not math.isnan(each)]
    # In C: a state has millions. A NaN anywhere is not found by max, but in a sum.
    if known and not (max(known) < LARGEST and min(known) > -LARGEST and math.isfinite(sum(known))):
        raise ValueError("packed numbers hold what is no value")


def number(state: Mapping[str, Any], name: str, least: float = -LARGEST, most: float = LARGEST) -> float:
    """A number of a state; 0 (or `least`, if that is more) where it has none. Raises ValueError."""
    value = state.get(name, max(0.0, least))
    # NaN is between no two numbers.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise ValueError("{0} is no number from {1:g} to {2:g}".format(name, least, most))
    return float(value)


def part(state: Any, name: str) -> Mapping[str, Any]:
    """A state within a state; an empty one where there is none. Raises ValueError."""
    found = state.get(name, {}) if isinstance(state, Mapping) else None
    if not isinstance(found, Mapping):
        raise ValueError("{0} is no state".format(name))
    return found


def _little(numbers: array[Any]) -> array[Any]:
    if sys.byteorder == "little":
        return numbers
    turned = array(numbers.typecode, numbers)
    turned.byteswap()
    return turned

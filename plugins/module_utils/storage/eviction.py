# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cache gives up for something new: the least recently used first, and never what it must keep. Does no I/O."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..errors import Refused


@dataclass(frozen=True)
class Budget:
    """What a cache may take, in bytes: `limit` for all that is in it, `free` is what its disk has left, and `spare` of
    that is not the cache's to take."""

    limit: int
    free: int
    spare: int


def evictions(held: Mapping[str, int], order: list[str], new: int, kept: Collection[str], budget: Budget) -> list[str]:
    """Names to give up so that `new` bytes more have room.

    Args:
        held: names that are in the cache, with their bytes.
        order: names from the least to the most recently used; what is not in it was never used.
        kept: names that stay, whatever happens.

    Raises Refused when giving up all others is not enough.
    """
    gone: list[str] = []
    taken, free = sum(held.values()), budget.free
    for name in sorted(set(held) - set(kept), key=lambda each: (order.index(each) if each in order else -1, each)):
        if fits(taken, free, new, budget):
            break
        gone.append(name)
        taken, free = taken - held[name], free + held[name]
    if not fits(taken, free, new, budget):
        words = (
            "{0} MiB more do not fit into the cache: {1} of {2} MiB are kept ({names}), the disk has {3} MiB left, of "
            "which {4} are not the cache's. Raise its limit, or keep fewer"
        )
        names = ", ".join(sorted(set(kept) & set(held))) or "nothing"
        sizes = [size // 2**20 for size in (new, taken, budget.limit, free, budget.spare)]
        raise Refused(words.format(*sizes, names=names))
    return gone


def fits(taken: int, free: int, new: int, budget: Budget) -> bool:
    """Whether `new` bytes have room beside `taken` in the cache, with `free` on the disk."""
    return taken + new <= budget.limit and free - new >= budget.spare


def used(order: list[str], name: str) -> list[str]:
    """The order after a use of `name`."""
    return [*(each for each in order if each != name), name]


def parse_order(text: str) -> list[str]:
    """The order as it was written down. One that cannot be read is none: what is used next makes a new one."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []

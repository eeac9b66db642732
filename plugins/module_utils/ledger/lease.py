# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease on a pool: one holder, an expiry, a fencing number. Pure.

Every ledger host judges expiry by its own uptime, never by a wall clock: clocks are wrong. After a reboot the uptime
at which the lease was granted means nothing; then the lease counts from the boot, so it ends late, never early.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import Refused


@dataclass(frozen=True)
class Moment:
    """A host's time: seconds since boot, suspended time too, and which boot."""

    uptime: float
    boot: str


@dataclass(frozen=True)
class Lease:
    """As one host has granted it. `fence` 0 and no owner: never granted. `ttl` in seconds from `at`."""

    fence: int = 0
    owner: str = ""
    run: str = ""
    ttl: float = 0.0
    at: float = 0.0
    boot: str = ""

    def left(self, now: Moment) -> float:
        """Seconds until it expires; 0 when it has."""
        begun = self.at if now.boot == self.boot else 0.0
        passed = max(0.0, now.uptime - begun)
        return max(0.0, self.ttl - passed)

    def take(self, owner: str, run: str, fence: int, ttl: float, now: Moment) -> Lease:
        """Grant it to somebody. Raises Refused while another holds it, and for a fencing number that is not newer.

        The holder may take it again and raise its number: then its own writes that are still under way are late.
        """
        mine = fence >= self.fence and owner == self.owner
        if not mine and self.left(now) > 0:
            raise Refused(
                "the pool is held by {0} for {1:.0f} s more".format(self.owner, self.left(now)),
                held_by=self.owner,
                left=self.left(now),
            )
        if not mine and fence <= self.fence:
            raise Refused("fencing number {0} is not newer than {1}".format(fence, self.fence), fence=self.fence)
        return Lease(fence, owner, run, ttl, now.uptime, now.boot)

    def renew(self, owner: str, fence: int, ttl: float, now: Moment) -> Lease:
        """Hold it longer. Raises Refused for anybody but the holder, and for a holder who let it expire."""
        if (fence, owner) != (self.fence, self.owner):
            raise Refused(
                "the lease has passed on: fencing number {0} of {1} is here, not {2}".format(
                    self.fence, self.owner or "nobody", fence
                ),
                held_by=self.owner,
                fence=self.fence,
            )
        if self.left(now) <= 0:
            raise Refused("the lease has run out, and what it protected may have been given back", expired=True)
        return Lease(fence, owner, self.run, ttl, now.uptime, now.boot)

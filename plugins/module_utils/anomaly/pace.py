# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a series has a new sample to learn, and when nothing is to be learned at all. Time is seconds since 1970."""

from __future__ import annotations

# A clock that is set back by more was wrong before: what it numbered does not count.
FAR_BACK_S = 86400.0


class Pace:
    """One series' steps. A step is judged and learned once, whatever the clock does."""

    __slots__ = ("last",)

    def __init__(self, last: int | None = None) -> None:
        self.last = last

    def missed(self, now: float, step: float) -> float:
        """Seconds since the last step that had a sample; 0 for the first one and where the clock was set back."""
        return max(0.0, (now // step - self.last) * step) if self.last is not None else 0.0

    def fresh(self, now: float, step: float) -> int | None:
        """The number of the step that begins; None while it is the last one, or one before it."""
        number = int(now // step)
        if self.last is not None and self.last - FAR_BACK_S / step <= number <= self.last:
            return None
        self.last = number
        return number


class Freeze:
    """Whether learning rests: while a rollout runs, and until what it did has settled.

    Args:
        settle: seconds after a rollout was seen last.
        until: from an earlier life.
    """

    def __init__(self, settle: float, until: float = 0.0) -> None:
        self.settle, self.until = settle, until

    def look(self, runs: bool | None, now: float) -> bool:
        """Whether it rests, given whether a rollout runs. None is unknown, and nothing is learned from that either."""
        # A clock that was set back must not make a pause of years.
        self.until = min(self.until, now + self.settle)
        if runs:
            self.until = now + self.settle
        return runs is not False or now < self.until

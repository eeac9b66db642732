# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The family of exceptions: raised by every room, turned into a task failure by the modules alone."""

from __future__ import annotations

from typing import Any


class PlatformError(Exception):
    """Something is wrong. The message says what, where and what to do; evidence holds the numbers behind it."""

    def __init__(self, message: str, **evidence: Any) -> None:
        super().__init__(message)
        self.message = message
        self.evidence = evidence


class Unreadable(PlatformError):
    """A source could not be read or its answer not understood. Unknown is never zero and never healthy."""


class Refused(PlatformError):
    """The other side, or a rule of ours, said no. Nothing was changed."""


class DeadlineExceeded(PlatformError):
    """What was waited for did not come in time."""

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab that stands, with everything it needs: built where it is missing, by one at a time."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator

from . import certificate, engine, gemma, models
from .containers import Lab
from .settings import cache, say


def prepare(lab: Lab, model: str = "tiny") -> None:
    """Build engine, models and images that this machine lacks, and start what does not run. Raises LabError."""
    with alone():
        engine.ensure(lab.client)
        models.ensure()
        certificate.ensure()
        if model == "gemma":
            gemma.ensure()
        lab.up()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One builder at a time on this machine: what two would build is the same, and lies in the same place."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another lab is being prepared on this machine; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield

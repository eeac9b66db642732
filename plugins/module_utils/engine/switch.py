# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a staged release the active one, proves it, and takes itself back when the proof fails.

All of it is one call on the node: a controller that dies in the middle leaves a node that ends by itself with a
proved release.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ..errors import PlatformError, Refused
from .client import Engine
from .load import load
from .proof import Proof, prove
from .release import Release
from .shelf import Shelf
from .unit import Unit, port_owner


@dataclass
class Switch:
    """One node's model server: its shelf, its unit and its engine.

    Args:
        port: TCP port of the engine.
        idle_deadline: seconds to wait for running requests before the engine is stopped.
    """

    shelf: Shelf
    unit: Unit
    engine: Engine
    port: int
    idle_deadline: float

    def serves(self, name: str) -> Proof | None:
        """The proof that this release is active and serves now; None when it does not."""
        if self.shelf.active() != name or not self.unit.active():
            return None
        try:
            return self.prove(self.shelf.read(name), deadline=self.engine.timeout)
        except PlatformError:
            return None

    def prove(self, release: Release, deadline: float) -> Proof:
        """Ask the engine for its readiness, identity and a completion."""
        return prove(self.engine, release.question(), deadline, self.unit.check_alive)

    def activate(self, release: Release) -> dict[str, Any]:
        """Stop, switch, start, prove. On failure the release that was active serves again.

        Returns the proof's steps, the seconds to idle and stopped, those to readiness, and the requests that the stop
        cut (None: unknown).
        Raises PlatformError; its evidence says `reverted` and what was proved of the old release.
        """
        before = self.shelf.active()
        owner = port_owner(self.port, self.unit.name)
        if owner:
            raise Refused("port {0} is in use by {1}; nothing was changed".format(self.port, owner))
        began = time.monotonic()
        cut = self._quiesce(before)
        try:
            self.unit.stop()
            stopped = round(time.monotonic() - began, 3)
            proof = self._run(release)
        except PlatformError as error:
            raise self._take_back(before, release, error) from error
        return {
            "proof": proof.steps,
            "seconds_to_stop": stopped,
            "seconds_to_ready": proof.steps[0]["seconds"],
            "requests_cut": cut,
        }

    def _run(self, release: Release) -> Proof:
        """Of a stopped engine."""
        self.shelf.point(release.name)
        self.unit.start()
        return self.prove(release, release.start_deadline)

    def _take_back(self, before: str | None, release: Release, error: PlatformError) -> PlatformError:
        evidence = dict(error.evidence, reverted=False)
        if before is None or before == release.name:
            if before is None:
                self.unit.stop()
                self.shelf.point(None)
            return PlatformError("release {0} does not serve: {1}".format(release.name, error.message), **evidence)
        try:
            self.unit.stop()
            self._run(self.shelf.read(before))
        except PlatformError as worse:
            message = "release {0} does not serve: {1}; and {2} does not come back: {3}"
            return PlatformError(message.format(release.name, error.message, before, worse.message), **evidence)
        evidence["reverted"] = True
        message = "release {0} does not serve: {1}; {2} is back and proved"
        return PlatformError(message.format(release.name, error.message, before), **evidence)

    def _quiesce(self, before: str | None) -> int | None:
        """Wait until the engine runs no request; the number still running at the deadline, None when unknown."""
        if before is None or not self.unit.active():
            return 0
        release = self.shelf.read(before)
        end = time.monotonic() + self.idle_deadline
        while True:
            running = self._running(release)
            if running == 0 or time.monotonic() >= end:
                return running
            time.sleep(0.2)

    def _running(self, release: Release) -> int | None:
        running = load(self.engine, release)["running"]
        return None if running is None else int(running)

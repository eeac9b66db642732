# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's own copies of what is in a store. The folder has a store's layout: <root>/<name>/<version>/ with manifests.

A version appears whole or not at all. What a dead run has copied lies under <root>/.incoming and is gone on with.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable

from .. import disk
from ..atomic import replace, sync
from ..errors import PlatformError, Refused, Unreadable
from .artifacts import INCOMING, MANIFEST, Artifacts
from .eviction import Budget, evictions, parse_order, used
from .manifest import Entry, Manifest

LOCK_WAIT_S = 600.0
ORDER = ".used.json"


@dataclass(frozen=True)
class Cache:
    """One node's cache.

    Args:
        root: folder on the node's own disk.
        store: where versions come from.
        limit: bytes that all versions together may take.
        spare: bytes of the disk that stay free.
        rate: bytes per second that may be read from the store; 0 for no limit.
        kept: NAME/VERSION of what is never given up.
    """

    root: str
    store: Artifacts
    limit: int
    spare: int = 0
    rate: int = 0
    kept: tuple[str, ...] = ()

    @property
    def here(self) -> Artifacts:
        """What is in the cache, read as a store."""
        return Artifacts(self.root, self.store.progress)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other runs away. Raises Refused when one is still at work after LOCK_WAIT_S."""
        os.makedirs(os.path.join(self.root, INCOMING), exist_ok=True)
        with disk.locked(self.root, LOCK_WAIT_S):
            yield

    def would_hold(self, name: str, version: str, sha256: str | None = None) -> dict[str, Any]:
        """What `hold` would do, as a task's result, without reading what is there."""
        manifest = self._here(name, version, sha256)
        if manifest:
            return {"changed": False, "artifact": manifest.summary(), "evicted": []}
        manifest = self._expected(self.store, name, version, sha256)
        return {"changed": True, "artifact": manifest.summary(), "evicted": self._room(manifest)}

    def hold(self, name: str, version: str, sha256: str | None = None) -> dict[str, Any]:
        """Have a whole version here, each of its bytes read again, which also brings them into memory.

        What is here and not as it was published is copied anew. The store is not needed for what is here and good.
        Returns the task's result. Raises Refused, Unreadable for what is wrong in the store, PlatformError.
        """
        path = self.here.path(name, version)
        manifest, evicted = self._here(name, version, sha256), []
        if manifest and self.here.verify(name, version):
            manifest = None
        changed, mended = manifest is None, manifest is None and os.path.isdir(path)
        if manifest is None:
            manifest = self._expected(self.store, name, version, sha256)
            shutil.rmtree(path, ignore_errors=True)
            evicted = self._room(manifest)
            for other, its_version in (each.split("/") for each in evicted):
                self.remove(other, its_version)
            self._bring(manifest)
        self._write_order(used(self._order(), "{0}/{1}".format(name, version)))
        return {"changed": changed, "artifact": manifest.summary(), "evicted": evicted, "mended": mended, "path": path}

    def remove(self, name: str, version: str, only_look: bool = False) -> bool:
        """Give a version up. False when it is not here. Raises Refused for one that is kept."""
        return self.here.remove(name, version, list(self.kept), only_look)

    def _here(self, name: str, version: str, sha256: str | None) -> Manifest | None:
        """The version's manifest, if it is here; a folder without a good one is no version."""
        if not os.path.isdir(self.here.path(name, version)):
            return None
        try:
            return self._expected(self.here, name, version, sha256)
        except Unreadable:
            return None

    @staticmethod
    def _expected(where: Artifacts, name: str, version: str, sha256: str | None) -> Manifest:
        manifest = where.manifest(name, version)
        if sha256 not in (None, manifest.digest):
            words = "{0} {1} in {2} has sha256 {3}, not the expected {4}"
            raise Refused(words.format(name, version, where.root, manifest.digest, sha256))
        return manifest

    def _partial(self, manifest: Manifest) -> str:
        # No name has an @.
        return os.path.join(self.root, INCOMING, "{0}@{1}".format(manifest.name, manifest.version))

    def _room(self, manifest: Manifest) -> list[str]:
        """What must be given up first."""
        mine = (manifest.name, manifest.version)
        held = {"/".join(each): _size(self.here.path(*each)) for each in self.here.names() if each != mine}
        # Bytes of an earlier try are not needed again; those of other tries go.
        free = shutil.disk_usage(self.root).free + _size(os.path.join(self.root, INCOMING))
        return evictions(held, self._order(), manifest.size, self.kept, Budget(self.limit, free, self.spare))

    def _bring(self, manifest: Manifest) -> None:
        """Copy what is missing, prove all of it, and rename it into its place."""
        work, place = self._partial(manifest), self.here.path(manifest.name, manifest.version)
        incoming = os.path.dirname(work)
        for other in os.listdir(incoming):
            if os.path.join(incoming, other) != work:
                shutil.rmtree(os.path.join(incoming, other), ignore_errors=True)
        source = self.store.path(manifest.name, manifest.version)
        pace = Pace(self.rate, self.store.teller(manifest.size))
        try:
            for entry in manifest.files:
                target = os.path.join(work, entry.path)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                self._fetch(os.path.join(source, entry.path), target, entry, pace)
            disk.write(os.path.join(work, MANIFEST), manifest.document(), 0o644)
            os.chmod(work, 0o755)  # noqa: S103  (engines read it as users of their own)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.rename(work, place)
            sync(os.path.dirname(place))
        except OSError as error:
            words = "cannot copy {0} {1} from {2}: {3}. What was copied is gone on with next time"
            raise PlatformError(words.format(manifest.name, manifest.version, self.store.root, error)) from error

    @staticmethod
    def _fetch(source: str, target: str, entry: Entry, pace: Pace) -> None:
        """One file, from where an earlier try ended. Raises Unreadable when the store has other bytes."""
        begun = os.path.exists(target)
        if begun and os.stat(target).st_size > entry.size:
            os.unlink(target)
        found = disk.digest(source, target, pace.step, resume=True)
        if found != entry.sha256 and begun:
            # What lay here may be the wrong part.
            found = disk.digest(source, target, pace.step)
        if found != entry.sha256:
            os.unlink(target)
            raise Unreadable("{0} has sha256 {1}, not {2}: the store is damaged".format(source, found, entry.sha256))
        os.chmod(target, 0o644)

    def _order(self) -> list[str]:
        try:
            with open(os.path.join(self.root, ORDER), encoding="utf-8") as stream:
                return parse_order(stream.read())
        except OSError:
            return []

    def _write_order(self, order: list[str]) -> None:
        path = os.path.join(self.root, ORDER)
        held = [each for each in order if os.path.isdir(os.path.join(self.root, each))]
        replace(path, json.dumps(held) + "\n", 0o644)


class Pace:
    """Holds a copy to a number of bytes per second.

    Args:
        rate: bytes per second; 0 for no limit.
        tell: told the bytes of each step.
    """

    def __init__(self, rate: int, tell: Callable[[int], None]) -> None:
        self.rate, self.tell = rate, tell
        self.copied = 0
        self.began = time.monotonic()

    def step(self, size: int) -> None:
        """So many bytes were copied."""
        self.copied += size
        self.tell(size)
        if self.rate:
            time.sleep(max(0.0, self.began + self.copied / self.rate - time.monotonic()))


def _size(folder: str) -> int:
    """Bytes of all files below a folder."""
    return sum(
        os.stat(os.path.join(where, name)).st_size for where, _folders, names in os.walk(folder) for name in names
    )

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases of one pool on one node: /srv/models/<pool>/releases/<release>, and `current`, the active one.

A release appears whole or not at all: it is built beside its place and renamed into it.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from .. import disk
from ..errors import PlatformError, Refused, Unreadable
from .release import Release, differences, parse_release

SPARE = 64 * 1024 * 1024
LOCK_WAIT_S = 120.0


class Shelf:
    """One pool's folder on a node.

    Args:
        root: folder of all pools, for example /srv/models.
        pool: name of the pool.
    """

    def __init__(self, root: str, pool: str) -> None:
        self.home = os.path.join(root, pool)
        self.releases = os.path.join(self.home, "releases")
        self.link = os.path.join(self.home, "current")

    @contextmanager
    def lock(self, patience: float = LOCK_WAIT_S) -> Iterator[None]:
        """Keep other runs away from this pool on this node. Raises Refused when one is still at work after `patience`.

        A module outlives the controller that started it; whoever comes next lets it end first.
        """
        try:
            os.makedirs(self.releases, exist_ok=True)
            with disk.locked(self.home, patience):
                yield
        except PermissionError as error:
            raise Refused("cannot write to {0}: {1}".format(self.home, error)) from error

    def path(self, name: str) -> str:
        """Folder of a release."""
        return os.path.join(self.releases, name)

    def names(self) -> list[str]:
        """Releases that are staged, whole."""
        try:
            return sorted(name for name in os.listdir(self.releases) if not name.startswith("."))
        except FileNotFoundError:
            return []

    def ages(self) -> dict[str, float]:
        """Release name to the time of its last use, seconds since the epoch."""
        return {name: os.stat(self.path(name)).st_mtime for name in self.names()}

    def active(self) -> str | None:
        """Name of the active release; None before the first."""
        try:
            return os.path.basename(os.readlink(self.link))
        except FileNotFoundError:
            return None

    def read(self, name: str) -> Release:
        """A staged release. Raises Refused when it is not there."""
        try:
            with open(os.path.join(self.path(name), "release.json"), encoding="utf-8") as handle:
                return parse_release(handle.read())
        except FileNotFoundError as error:
            staged = ", ".join(self.names()) or "none"
            raise Refused("release {0} is not staged in {1} (staged: {2})".format(name, self.home, staged)) from error

    def holds(self, release: Release) -> bool:
        """True when exactly this release is staged. Raises Refused when another one bears its name."""
        if release.name not in self.names():
            return False
        other = differences(self.read(release.name), release)
        if other:
            raise Refused(
                "release {0} is staged already with other content, and a release is immutable: give the new one "
                "another name ({1})".format(release.name, "; ".join(other))
            )
        return True

    def verify(self, release: Release) -> None:
        """Read the staged artifact again. Raises Unreadable when its digest is not the declared one."""
        _expect(release, digest(os.path.join(self.path(release.name), release.artifact)))

    def stage(self, release: Release, source: str, take: str = "copy") -> None:
        """Verify the artifact at `source` and put the release on the shelf.

        Args:
            release: the release.
            source: its artifact.
            take: `copy` it, `move` it, `link` it (one file under two names; a copy where that is not possible), or
                `symlink` it, so that it is read where it lies.

        Raises PlatformError for a missing source, a wrong digest or a full disk; then the shelf is as before.
        """
        partial = os.path.join(self.releases, ".{0}.partial".format(release.name))
        shutil.rmtree(partial, ignore_errors=True)
        try:
            os.mkdir(partial)
            self._take(release, source, os.path.join(partial, release.artifact), take)
            disk.write(os.path.join(partial, "start"), release.start_script(), 0o755)
            disk.write(os.path.join(partial, "release.json"), release.document(), 0o644)
            os.rename(partial, self.path(release.name))
        except OSError as error:
            full = (
                " The disk is full: free space or lower model_server_keep_releases."
                if error.errno == errno.ENOSPC
                else ""
            )
            raise PlatformError("cannot stage release {0}: {1}.{2}".format(release.name, error, full)) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def mend(self, release: Release, source: str, take: str = "copy") -> None:
        """Put the artifact at `source` in the place of one that is not as declared; an engine that runs keeps its own.

        Raises PlatformError as `stage` does; then the shelf is as before.
        """
        place = os.path.join(self.path(release.name), release.artifact)
        fresh = place + ".new"
        try:
            if os.path.lexists(fresh):
                os.unlink(fresh)
            self._take(release, source, fresh, take)
            os.replace(fresh, place)
        except OSError as error:
            raise PlatformError("cannot mend release {0}: {1}".format(release.name, error)) from error

    def _take(self, release: Release, source: str, target: str, take: str) -> None:
        """Have the artifact at `target`, verified."""
        if take != "copy":
            _expect(release, digest(source))
        if take == "symlink":
            os.symlink(source, target)
            return
        if take == "move":
            os.rename(source, target)
        elif take != "link" or not _linked(source, target):
            self._room(source)
            _expect(release, digest(source, copy_to=target))
        os.chmod(target, 0o644)

    def _room(self, source: str) -> None:
        need = os.stat(source).st_size + SPARE
        free = shutil.disk_usage(self.releases).free
        if free < need:
            raise Refused(
                "{0} has {1} MiB free, the release needs {2}: free space or lower model_server_keep_releases".format(
                    self.releases, free // 2**20, need // 2**20
                )
            )

    def point(self, name: str | None) -> None:
        """Make a release the active one, atomically; None takes the pointer away."""
        if name is None:
            os.unlink(self.link)
            return
        temporary = self.link + ".new"
        if os.path.lexists(temporary):
            os.unlink(temporary)
        os.symlink(os.path.join("releases", name), temporary)
        os.replace(temporary, self.link)
        os.utime(self.path(name))

    def remove(self, name: str) -> None:
        """Take a release off the shelf: renamed first, so that half of one is never seen."""
        doomed = os.path.join(self.releases, ".{0}.removed".format(name))
        shutil.rmtree(doomed, ignore_errors=True)
        os.rename(self.path(name), doomed)
        shutil.rmtree(doomed)


def digest(path: str, copy_to: str | None = None) -> str:
    """As disk.digest. Raises Refused when the artifact is not there."""
    try:
        return disk.digest(path, copy_to)
    except FileNotFoundError as error:
        raise Refused("there is no artifact at {0}".format(path)) from error


def _linked(source: str, target: str) -> bool:
    """Give a file a second name. False where its file system cannot, or it is another."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            return False
        raise
    return True


def _expect(release: Release, found: str) -> None:
    if found != release.sha256:
        raise Unreadable(
            "release {0}: artifact {1} has sha256 {2}, not the declared {3}".format(
                release.name, release.artifact, found, release.sha256
            )
        )

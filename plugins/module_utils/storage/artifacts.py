# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The artifacts in a store: <root>/<name>/<version>/, each with its manifest. The store is any mounted file system.

A version appears whole or not at all: it is built under <root>/.incoming, in a folder of one publisher, and renamed
into its place. Whoever comes second finds the place taken and compares.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from typing import Any, Callable

from .. import disk
from ..atomic import sync
from ..errors import PlatformError, Refused, Unreadable
from .manifest import Entry, Manifest, check_names, check_path, compare, parse_manifest

SPARE = 64 * 1024 * 1024
INCOMING = ".incoming"
MANIFEST = "manifest.json"
# Seconds between two signs of life of a publisher; what shows none for long is a dead one's.
SIGN = 5.0

Progress = Callable[[int, int], None]


class Artifacts:
    """A store.

    Args:
        root: folder where the store is mounted.
        progress: told bytes done and bytes in all, a few times a minute.
    """

    def __init__(self, root: str, progress: Progress = lambda _done, _all: None) -> None:
        self.root = root
        self.progress = progress

    def path(self, name: str, version: str) -> str:
        """Folder of a version."""
        return os.path.join(self.root, name, version)

    def versions(self) -> list[Manifest]:
        """Every version that is there, by name and version. Raises Unreadable for one without a good manifest."""
        return [self.manifest(name, version) for name, version in self.names()]

    def names(self) -> list[tuple[str, str]]:
        """Name and version of every folder that bears them, whatever is in it."""
        found = ((name, _folders(os.path.join(self.root, name))) for name in _folders(self.root))
        return [(name, version) for name, versions in found for version in versions]

    def manifest(self, name: str, version: str) -> Manifest:
        """A version's manifest. Raises Refused when the version is not there."""
        check_names(name, version)
        path = os.path.join(self.path(name, version), MANIFEST)
        try:
            with open(path, encoding="utf-8") as stream:
                manifest = parse_manifest(stream.read())
        except FileNotFoundError as error:
            if os.path.isdir(self.path(name, version)):
                raise Unreadable("{0} is missing: this version was not published by this store".format(path)) from error
            there = ", ".join(_folders(os.path.join(self.root, name))) or "none"
            raise Refused("the store has no {0} {1} (versions: {2})".format(name, version, there)) from error
        if (manifest.name, manifest.version) != (name, version):
            raise Unreadable("{0} speaks of {1} {2}".format(path, manifest.name, manifest.version))
        return manifest

    def would_publish(self, name: str, version: str, source: str) -> dict[str, Any]:
        """What `publish` would do, as a task's result. Raises Refused for what is seen without reading the source."""
        files = self._files(name, version, source)
        if os.path.isdir(self.path(name, version)):
            return {"changed": False, "artifact": self.manifest(name, version).summary()}
        size = sum(size for _path, _file, size in files)
        return {"changed": True, "artifact": {"name": name, "version": version, "size": size, "files": len(files)}}

    def publish(self, name: str, version: str, source: str, sha256: str | None = None) -> tuple[bool, Manifest]:
        """Bring a file or a folder into the store. False when the same bytes are there already.

        Raises Refused for another content under this version or another digest than `sha256`, PlatformError when it
        could not be written; then the store is as before.
        """
        files = self._files(name, version, source)
        os.makedirs(os.path.join(self.root, INCOMING), exist_ok=True)
        work = tempfile.mkdtemp(prefix="{0}-{1}.".format(name, version), dir=os.path.join(self.root, INCOMING))
        try:
            manifest = Manifest(name, version, tuple(self._copy(files, work)))
            if sha256 not in (None, manifest.digest):
                raise Refused("{0} has sha256 {1}, not the expected {2}".format(source, manifest.digest, sha256))
            disk.write(os.path.join(work, MANIFEST), manifest.document(), 0o644)
            # Model servers read it as users of their own.
            os.chmod(work, 0o755)  # noqa: S103
            return self._settle(work, manifest), manifest
        except OSError as error:
            full = " The store is full." if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
            raise PlatformError("cannot publish {0} {1}: {2}.{3}".format(name, version, error, full)) from error
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def verify(self, name: str, version: str) -> list[str]:
        """Read every file again; what is wrong, a line each. Raises as `manifest` does."""
        manifest = self.manifest(name, version)
        folder = self.path(name, version)
        tell = self.teller(manifest.size)
        files = [entry for entry in sorted(_walk(folder)) if entry[0] != MANIFEST]
        return compare(manifest, {path: (size, disk.digest(file, tell=tell)) for path, file, size in files})

    def remove(self, name: str, version: str, named: list[str], only_look: bool = False) -> bool:
        """Take a version away, or say whether that would be done. False when it is not there.

        Raises Refused for one that is among `named`: NAME/VERSION of what a release still names.
        """
        check_names(name, version)
        if "{0}/{1}".format(name, version) in named:
            raise Refused("{0} {1} is still named by a release".format(name, version))
        if not os.path.isdir(self.path(name, version)):
            return False
        if only_look:
            return True
        os.makedirs(os.path.join(self.root, INCOMING), exist_ok=True)
        doomed = tempfile.mkdtemp(prefix="removed.", dir=os.path.join(self.root, INCOMING))
        # Away at once, so that half of it is never seen.
        os.rename(self.path(name, version), os.path.join(doomed, version))
        shutil.rmtree(doomed)
        return True

    def leftovers(self, age: float) -> list[str]:
        """What dead publishers left: folders without a sign of life for `age` seconds, by the store's own clock."""
        incoming = os.path.join(self.root, INCOMING)
        if not os.path.isdir(incoming):
            return []
        with tempfile.NamedTemporaryFile(dir=incoming, prefix=".now.") as stamp:
            now = os.fstat(stamp.fileno()).st_mtime
        names = [name for name in os.listdir(incoming) if not name.startswith(".now.")]
        return sorted(name for name in names if now - os.stat(os.path.join(incoming, name)).st_mtime >= age)

    def prune(self, age: float) -> list[str]:
        """Remove what dead publishers left. Returns the names."""
        gone = self.leftovers(age)
        for name in gone:
            shutil.rmtree(os.path.join(self.root, INCOMING, name), ignore_errors=True)
        return gone

    def _copy(self, files: list[tuple[str, str, int]], work: str) -> Iterator[Entry]:
        tell = self.teller(sum(size for _path, _file, size in files), lambda: os.utime(work))
        for path, file, size in files:
            target = os.path.join(work, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            digest = disk.digest(file, target, tell)
            if os.stat(target).st_size != size:
                raise Refused("{0} changed while it was read: publish it again when it is at rest".format(file))
            yield Entry(path, size, digest)

    def teller(self, whole: int, sign: Callable[[], None] = lambda: None) -> Callable[[int], None]:
        """Counts the bytes that it hears of; now and then it tells the progress and gives a sign of life."""
        done, told = 0, time.monotonic()

        def tell(more: int) -> None:
            nonlocal done, told
            done += more
            if time.monotonic() - told >= SIGN:
                told = time.monotonic()
                self.progress(done, whole)
                sign()

        return tell

    def _settle(self, work: str, manifest: Manifest) -> bool:
        """Rename into its place; False when the same content is there. Raises Refused for another."""
        place = self.path(manifest.name, manifest.version)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        try:
            os.rename(work, place)
            sync(os.path.dirname(place))
            return True
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        there = self.manifest(manifest.name, manifest.version)
        if there.digest != manifest.digest:
            words = "{0} {1} is in the store with sha256 {2}, this has {3}: a version is immutable, give it another"
            raise Refused(words.format(manifest.name, manifest.version, there.digest, manifest.digest))
        return False

    def _files(self, name: str, version: str, source: str) -> list[tuple[str, str, int]]:
        """What there is to publish, once it is sure that it may be and has room. Raises Refused."""
        check_names(name, version)
        files = sorted(_walk(source))
        if not files:
            raise Refused("there is nothing to publish at {0}".format(source))
        for path, _file, _size in files:
            check_path(path)
        self._room(sum(size for _path, _file, size in files))
        return files

    def _room(self, size: int) -> None:
        try:
            free = shutil.disk_usage(self.root).free
        except FileNotFoundError as error:
            raise Refused("there is no store at {0}: is it mounted?".format(self.root)) from error
        if free < size + SPARE:
            raise Refused(
                "the store has {0} MiB free, and {1} are needed: remove versions that nobody names".format(
                    free // 2**20, (size + SPARE) // 2**20
                )
            )


def _walk(source: str) -> Iterator[tuple[str, str, int]]:
    """Every file under a folder, or the file itself: (path inside, path, size). Raises Refused for what is neither."""
    try:
        kind = os.lstat(source)
    except FileNotFoundError as error:
        raise Refused("there is no {0}".format(source)) from error
    if stat.S_ISREG(kind.st_mode):
        yield os.path.basename(source), source, kind.st_size
        return
    if not stat.S_ISDIR(kind.st_mode):
        raise Refused("{0} is no file and no folder".format(source))
    for folder, folders, names in os.walk(source):
        # A link to a folder is listed among the folders, and not gone into.
        for name in [*names, *(each for each in folders if os.path.islink(os.path.join(folder, each)))]:
            path = os.path.join(folder, name)
            found = os.lstat(path)
            if not stat.S_ISREG(found.st_mode):
                raise Refused("{0} is no regular file: an artifact has nothing else in it".format(path))
            yield os.path.relpath(path, source), path, found.st_size


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(e.name for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith("."))
    except FileNotFoundError:
        return []

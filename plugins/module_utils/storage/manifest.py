# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artifact in the store consists of, as a record: every file with its size and digest. Does no I/O."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from ..errors import Refused, Unreadable

NAME = re.compile(r"^[a-z0-9][a-z0-9._-]{0,63}\Z")
SHA256 = re.compile(r"^[0-9a-f]{64}\Z")
FILES = 100_000


@dataclass(frozen=True)
class Entry:
    """One file: its path inside the artifact, its size in bytes, its sha256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """One version of one artifact. Two with equal `digest` hold the same bytes under the same paths."""

    name: str
    version: str
    files: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files)

    @property
    def digest(self) -> str:
        """sha256 over paths and digests. Of a single file it is that file's own, so that it can be checked by hand."""
        if len(self.files) == 1:
            return self.files[0].sha256
        lines = ["{0}  {1}\n".format(entry.sha256, entry.path) for entry in self.files]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def summary(self) -> dict[str, Any]:
        """For a task's result."""
        whole = {"name": self.name, "version": self.version, "sha256": self.digest}
        return {**whole, "size": self.size, "files": len(self.files)}

    def document(self) -> str:
        """manifest.json."""
        files = [{"path": entry.path, "size": entry.size, "sha256": entry.sha256} for entry in self.files]
        content = {"name": self.name, "version": self.version, "sha256": self.digest, "size": self.size, "files": files}
        return json.dumps(content, indent=1, sort_keys=True) + "\n"


def check_names(name: str, version: str) -> None:
    """Raises Refused for names that could escape their folder."""
    for what, value in (("name", name), ("version", version)):
        if not NAME.match(value):
            raise Refused("{0} {1!r} must match {2}".format(what, value, NAME.pattern))


def check_path(path: str) -> str:
    """A path inside an artifact. Raises Refused for one that leads out of it, or is the manifest's own."""
    parts = path.split("/")
    if not path or path.startswith("/") or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise Refused("{0!r} is no path inside an artifact".format(path[:200]))
    if parts[0] == "manifest.json":
        raise Refused("an artifact may not bring a manifest.json of its own: the store writes it")
    return path


def parse_manifest(text: str) -> Manifest:
    """Read manifest.json. Raises Unreadable when it is none, or contradicts itself."""
    try:
        found = dict(json.loads(text))
        manifest = Manifest(str(found["name"]), str(found["version"]), tuple(_entry(each) for each in found["files"]))
        check_names(manifest.name, manifest.version)
        paths = [entry.path for entry in manifest.files]
        if not paths or len(paths) > FILES or paths != sorted(set(paths)):
            raise ValueError("its files are none, too many, or not in order")
        if found["sha256"] != manifest.digest:
            raise ValueError("its digest is not that of its files")
    except (ValueError, TypeError, KeyError, RecursionError, Refused) as error:
        raise Unreadable("manifest.json is no manifest: {0}".format(error), seen=text[:200]) from error
    return manifest


def compare(manifest: Manifest, found: dict[str, tuple[int, str]]) -> list[str]:
    """What is wrong with the files that lie there: {path: (size, sha256)}; nothing when they are the manifest's."""
    wanted = {entry.path: entry for entry in manifest.files}
    wrong = ["{0} is missing".format(path) for path in sorted(set(wanted) - set(found))]
    wrong += ["{0} does not belong there".format(path) for path in sorted(set(found) - set(wanted))]
    for path in sorted(set(wanted) & set(found)):
        size, digest = found[path]
        if size != wanted[path].size:
            wrong.append("{0} has {1} bytes, not {2}".format(path, size, wanted[path].size))
        elif digest != wanted[path].sha256:
            wrong.append("{0} has sha256 {1}, not {2}".format(path, digest, wanted[path].sha256))
    return wrong


def _entry(found: Any) -> Entry:
    size = found["size"]
    if isinstance(size, bool) or not isinstance(size, int) or size < 0 or not SHA256.match(found["sha256"]):
        raise ValueError("a file without size or digest")
    return Entry(check_path(str(found["path"])), size, found["sha256"])

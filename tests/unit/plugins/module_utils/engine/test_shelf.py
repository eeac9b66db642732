# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases side by side: whole or not at all, immutable, switched atomically, pruned with care."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.engine.release import Release
from ansible_collections.steadfast.ai_platform.plugins.module_utils.engine.shelf import Shelf
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Refused, Unreadable

CONTENT = b"weights" * 1000
WAYS = ("copy", "move", "link", "symlink")


def release(name="r1", content=CONTENT, **changes):
    fields = {
        "name": name,
        "model": "tiny",
        "identity": f"tiny@{name}",
        "engine": "llama_cpp",
        "engine_version": "1",
        "artifact": "tiny.gguf",
        "sha256": hashlib.sha256(content).hexdigest(),
        "command": ("/bin/echo", "it's", "$MODEL_SERVER_PORT", "$(id)"),
    }
    return Release(**{**fields, **changes})


@pytest.fixture
def shelf(tmp_path):
    shelf = Shelf(str(tmp_path), "serving")
    with shelf.lock():
        yield shelf


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "incoming"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize("take", WAYS)
def test_stage_and_switch(shelf, source, take):
    shelf.stage(release(), str(source), take)
    assert source.exists() is (take != "move")
    assert shelf.names() == ["r1"]
    assert shelf.read("r1") == release()
    assert shelf.active() is None
    shelf.point("r1")
    assert shelf.active() == "r1"
    assert Path(shelf.link, "tiny.gguf").read_bytes() == CONTENT


@pytest.mark.parametrize("take", WAYS)
def test_a_wrong_digest_leaves_the_shelf_as_it_was(shelf, source, take):
    with pytest.raises(Unreadable, match="not the declared"):
        shelf.stage(release(sha256="0" * 64), str(source), take)
    assert os.listdir(shelf.releases) == []
    assert source.exists()


def test_a_missing_artifact_is_said(shelf, tmp_path):
    with pytest.raises(PlatformError, match="absent"):
        shelf.stage(release(), str(tmp_path / "absent"))


def test_a_full_disk_is_said_before_anything_is_copied(shelf, source, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(Refused, match="free space"):
        shelf.stage(release(), str(source))
    assert os.listdir(shelf.releases) == []


def test_a_release_is_immutable(shelf, source):
    shelf.stage(release(), str(source))
    assert shelf.holds(release())
    with pytest.raises(Refused, match=r"immutable.*engine_version: '1' -> '2'"):
        shelf.holds(release(engine_version="2"))


def test_a_flipped_byte_is_found(shelf, source):
    shelf.stage(release(), str(source))
    with open(os.path.join(shelf.path("r1"), "tiny.gguf"), "r+b") as handle:
        handle.write(b"W")
    with pytest.raises(Unreadable, match="not the declared"):
        shelf.verify(release())


def test_a_link_takes_no_space(shelf, source):
    shelf.stage(release(), str(source), "link")
    assert os.stat(os.path.join(shelf.path("r1"), "tiny.gguf")).st_ino == source.stat().st_ino


def test_what_cannot_be_linked_is_copied(shelf, source, monkeypatch):
    def other_disk(_source, _target):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr("os.link", other_disk)
    shelf.stage(release(), str(source), "link")
    assert Path(shelf.path("r1"), "tiny.gguf").read_bytes() == CONTENT


@pytest.mark.parametrize("take", WAYS)
def test_a_rotten_artifact_is_replaced_by_a_good_one(shelf, source, take):
    shelf.stage(release(), str(source))
    place = Path(shelf.path("r1"), "tiny.gguf")
    with place.open("r+b") as handle, place.open("rb") as engine:
        handle.write(b"W")
        handle.flush()
        shelf.mend(release(), str(source), take)
        assert engine.read(1) == b"W", "who reads the old one keeps it"
    shelf.verify(release())


def test_a_rotten_one_is_not_replaced_by_another(shelf, source):
    shelf.stage(release(), str(source))
    source.write_bytes(b"something else")
    with pytest.raises(Unreadable, match="not the declared"):
        shelf.mend(release(), str(source), "link")
    shelf.verify(release())


def test_two_runs_at_once_are_kept_apart(shelf, tmp_path):
    with pytest.raises(Refused, match="another run"), Shelf(str(tmp_path), "serving").lock(0.3):
        pass

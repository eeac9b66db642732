# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases side by side: whole or not at all, immutable, switched atomically, pruned with care."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.engine.release import Release
from ansible_collections.steadfast.ai_platform.plugins.module_utils.engine.shelf import Shelf
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Refused, Unreadable

CONTENT = b"weights" * 1000


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


@pytest.mark.parametrize("move", [True, False])
def test_stage_and_switch(shelf, source, move):
    shelf.stage(release(), str(source), move)
    assert source.exists() is not move
    assert shelf.names() == ["r1"]
    assert shelf.read("r1") == release()
    assert shelf.active() is None
    shelf.point("r1")
    assert shelf.active() == "r1"
    assert Path(shelf.link, "tiny.gguf").read_bytes() == CONTENT


@pytest.mark.parametrize("move", [True, False])
def test_a_wrong_digest_leaves_the_shelf_as_it_was(shelf, source, move):
    with pytest.raises(Unreadable, match="not the declared"):
        shelf.stage(release(sha256="0" * 64), str(source), move)
    assert os.listdir(shelf.releases) == []
    assert source.exists()


def test_a_missing_artifact_is_said(shelf, tmp_path):
    with pytest.raises(PlatformError, match="absent"):
        shelf.stage(release(), str(tmp_path / "absent"), False)


def test_a_full_disk_is_said_before_anything_is_copied(shelf, source, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(Refused, match="free space"):
        shelf.stage(release(), str(source), False)
    assert os.listdir(shelf.releases) == []


def test_a_release_is_immutable(shelf, source):
    shelf.stage(release(), str(source), False)
    assert shelf.holds(release())
    with pytest.raises(Refused, match=r"immutable.*engine_version: '1' -> '2'"):
        shelf.holds(release(engine_version="2"))


def test_a_flipped_byte_is_found(shelf, source):
    shelf.stage(release(), str(source), False)
    with open(os.path.join(shelf.path("r1"), "tiny.gguf"), "r+b") as handle:
        handle.write(b"W")
    with pytest.raises(Unreadable, match="not the declared"):
        shelf.verify(release())


def test_two_runs_at_once_are_kept_apart(shelf, tmp_path):
    with pytest.raises(Refused, match="another run"), Shelf(str(tmp_path), "serving").lock(0.3):
        pass

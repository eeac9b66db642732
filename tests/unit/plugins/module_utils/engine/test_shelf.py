# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases side by side: whole or not at all, immutable, switched atomically, pruned with care."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.engine.release import (
    Release,
    parse_release,
    superseded,
)
from ansible_collections.steadfast.ai_platform.plugins.module_utils.engine.shelf import Shelf
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Refused, Unreadable
from hypothesis import given
from hypothesis import strategies as st

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
    with pytest.raises(Refused, match="another run"), Shelf(str(tmp_path), "serving").lock():
        pass


def test_the_start_script_quotes_everything_but_the_units_variables(tmp_path):
    script = tmp_path / "start"
    script.write_text(release().start_script())
    out = subprocess.run(["sh", script], capture_output=True, text=True, check=True, env={"MODEL_SERVER_PORT": "80 80"})
    assert out.stdout == "it's 80 80 $(id)\n"


@pytest.mark.parametrize(
    "changes",
    [{"name": "../r1"}, {"name": ""}, {"artifact": "a/b"}, {"sha256": "abc"}, {"command": ()}, {"name": ".r1"}],
)
def test_a_release_that_cannot_be_is_refused(changes):
    with pytest.raises(Refused):
        release(**changes).check()


def test_release_json_comes_back_and_garbage_does_not():
    assert parse_release(release().document()) == release()
    for text in ("", "[]", "{}", '{"command": 1, "running_metrics": []}'):
        with pytest.raises(Unreadable):
            parse_release(text)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 9)), st.sampled_from("abcdefgh"), st.integers(0, 4))
def test_pruning_never_takes_the_active_one_nor_a_younger_before_an_older(ages, active, keep):
    gone = superseded(ages, active, keep)
    kept = [name for name in ages if name not in gone and name != active]
    assert active not in gone
    assert len(kept) == min(keep, len([name for name in ages if name != active]))
    assert all(ages[young] >= ages[old] for young in kept for old in gone)

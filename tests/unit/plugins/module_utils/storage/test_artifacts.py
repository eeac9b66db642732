# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store on a real disk: whole versions or none, whoever dies and whoever comes second."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils import disk
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Refused, Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage import artifacts
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage.artifacts import Artifacts

PUBLISH = """
import sys
from ansible_collections.steadfast.ai_platform.plugins.module_utils import disk
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage import artifacts
disk.CHUNK = 4096
print("begun", flush=True)
print(artifacts.Artifacts(sys.argv[1]).publish("tiny", "1", sys.argv[2])[0], flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> Artifacts:
    (tmp_path / "store").mkdir()
    return Artifacts(str(tmp_path / "store"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with a file in it and one below."""
    folder = tmp_path / "model"
    (folder / "shards").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "shards" / "1.bin").write_bytes(random.Random(1).randbytes(300_000))
    return folder


def publisher(store: Artifacts, source: Path) -> subprocess.Popen[str]:
    """Another controller."""
    return subprocess.Popen([sys.executable, "-c", PUBLISH, store.root, str(source)], stdout=subprocess.PIPE, text=True)


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


def test_a_folder_is_published_once_and_verified(store, model):
    changed, manifest = store.publish("tiny", "1", str(model))
    assert changed
    assert [entry.path for entry in manifest.files] == ["config.json", "shards/1.bin"]
    assert store.publish("tiny", "1", str(model)) == (False, manifest)
    assert store.versions() == [manifest]
    assert store.verify("tiny", "1") == []
    assert os.listdir(Path(store.root, ".incoming")) == []


def test_a_file_is_published_with_its_own_digest(store, model):
    file = model / "config.json"
    _changed, manifest = store.publish("tiny", "1", str(file))
    assert store.publish("tiny", "1", str(file), manifest.digest)[0] is False
    with pytest.raises(Refused, match="not the expected"):
        store.publish("tiny", "2", str(file), "0" * 64)
    assert [each.version for each in store.versions()] == ["1"]


def test_what_would_be_done_is_told_and_not_done(store, model):
    assert store.would_publish("tiny", "1", str(model))["changed"]
    assert store.versions() == []
    store.publish("tiny", "1", str(model))
    assert not store.would_publish("tiny", "1", str(model))["changed"]
    assert store.remove("tiny", "1", [], only_look=True)
    assert len(store.versions()) == 1


def test_a_version_is_immutable(store, model):
    store.publish("tiny", "1", str(model))
    (model / "config.json").write_text("{ }")
    with pytest.raises(Refused, match="a version is immutable"):
        store.publish("tiny", "1", str(model))
    assert store.verify("tiny", "1") == []


@pytest.mark.parametrize("kind", ["nothing", "link", "link to a folder", "fifo", "own manifest", "empty"])
def test_what_is_no_artifact_is_refused(store, model, kind):
    if kind == "link":
        (model / "x").symlink_to("/etc/passwd")
    elif kind == "link to a folder":
        (model / "x").symlink_to("/etc")
    elif kind == "fifo":
        os.mkfifo(model / "x")
    elif kind == "own manifest":
        (model / "manifest.json").write_text("{}")
    elif kind == "empty":
        model = model / "none"
        model.mkdir()
    with pytest.raises(Refused):
        store.publish("tiny", "1", str(model / "nowhere" if kind == "nothing" else model))
    assert store.versions() == []


def test_no_store_and_no_room(tmp_path, store, model, monkeypatch):
    with pytest.raises(Refused, match="is it mounted"):
        Artifacts(str(tmp_path / "nowhere")).publish("tiny", "1", str(model))
    monkeypatch.setattr(artifacts, "SPARE", 2**62)
    with pytest.raises(Refused, match="MiB free"):
        store.publish("tiny", "1", str(model))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small file system")
def test_a_store_that_fills_up_is_as_before(tmp_path, model, monkeypatch):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)], check=True)
    try:
        monkeypatch.setattr(artifacts, "SPARE", -(2**30))
        store = Artifacts(str(small))
        with pytest.raises(PlatformError, match="The store is full"):
            store.publish("tiny", "1", str(model))
        assert (store.versions(), store.leftovers(0)) == ([], [])
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (lambda place: (place / "shards/1.bin").open("r+b").write(b"\0"), "shards/1.bin has sha256"),
        (lambda place: (place / "config.json").unlink(), "config.json is missing"),
        (lambda place: (place / "more").write_text("x"), "more does not belong there"),
        (lambda place: os.truncate(place / "shards/1.bin", 5), "shards/1.bin has 5 bytes"),
    ],
)
def test_what_is_spoiled_in_the_store_is_found(store, model, spoil, wrong):
    store.publish("tiny", "1", str(model))
    spoil(Path(store.path("tiny", "1")))
    (found,) = store.verify("tiny", "1")
    assert found.startswith(wrong)


def test_a_folder_that_nobody_published_is_no_version(store):
    Path(store.path("tiny", "1")).mkdir(parents=True)
    with pytest.raises(Unreadable, match="not published by this store"):
        store.versions()


def test_a_manifest_of_another_version_is_not_believed(store, model):
    store.publish("tiny", "1", str(model))
    os.rename(store.path("tiny", "1"), store.path("tiny", "2"))
    with pytest.raises(Unreadable, match="speaks of tiny 1"):
        store.verify("tiny", "2")


def test_a_version_that_a_release_names_stays(store, model):
    store.publish("tiny", "1", str(model))
    with pytest.raises(Refused, match="still named"):
        store.remove("tiny", "1", ["tiny/1"])
    assert store.remove("tiny", "1", ["tiny/2"])
    assert not store.remove("tiny", "1", [])
    assert (store.versions(), store.leftovers(0)) == ([], [])


@pytest.mark.parametrize("seed", range(10))
def test_a_publisher_that_is_killed_leaves_nothing_that_counts(store, model, seed):
    (model / "shards" / "1.bin").write_bytes(random.Random(seed).randbytes(20_000_000))
    process = publisher(store, model)
    assert process.stdout.readline() == "begun\n"
    time.sleep(random.Random(seed).random() * 0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for version in store.versions():
        assert store.verify("tiny", version.version) == []
    store.publish("tiny", "1", str(model))
    assert store.verify("tiny", "1") == []
    store.prune(0)
    assert store.leftovers(0) == []


def test_of_two_publishers_one_comes_second(store, model):
    (model / "shards" / "1.bin").write_bytes(random.Random(1).randbytes(20_000_000))
    both = [publisher(store, model) for _turn in range(2)]
    said = sorted(process.communicate(timeout=60)[0].split()[-1] for process in both)
    assert said == ["False", "True"]
    assert store.verify("tiny", "1") == []
    assert store.leftovers(0) == []


def test_a_living_publisher_gives_signs_and_tells_its_progress(store, model, monkeypatch):
    told = []
    store.progress = lambda done, whole: told.append((done, whole, store.leftovers(3600)))
    monkeypatch.setattr(artifacts, "SIGN", 0)
    monkeypatch.setattr(disk, "CHUNK", 100_000)
    store.publish("tiny", "1", str(model))
    assert [done for done, _whole, _old in told] == [2, 100_002, 200_002, 300_002]
    assert {whole for _done, whole, _old in told} == {300_002}
    assert all(old == [] for _done, _whole, old in told)

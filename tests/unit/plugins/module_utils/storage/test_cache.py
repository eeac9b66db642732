# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cache on a real disk: whole versions or none, the good copy whatever is spoiled, never beyond its limit."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Refused, Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage import cache as cache_module
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage.artifacts import Artifacts
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage.cache import Cache

SIZE = 200_000
COPY = """
import sys
from ansible_collections.steadfast.ai_platform.plugins.module_utils import disk
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage.artifacts import Artifacts
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage.cache import Cache
disk.CHUNK = 4096
cache = Cache(sys.argv[1], Artifacts(sys.argv[2]), limit=2**30, rate=1_000_000)
with cache.lock():
    cache.hold("tiny", "1")
"""


@pytest.fixture
def store(tmp_path: Path) -> Artifacts:
    """Twelve versions of one artifact, of two files each."""
    store = Artifacts(str(tmp_path / "store"))
    for version in range(1, 13):
        source = tmp_path / "source"
        source.mkdir(parents=True)
        (source / "a.bin").write_bytes(random.Random(version).randbytes(SIZE))
        (source / "b.json").write_text(str(version))
        Path(store.root).mkdir(exist_ok=True)
        store.publish("tiny", str(version), str(source))
        shutil.rmtree(source)
    return store


@pytest.fixture
def cache(tmp_path: Path, store: Artifacts) -> Cache:
    return Cache(str(tmp_path / "cache"), store, limit=2**30)


def hold(cache: Cache, version: str, **more):
    with cache.lock():
        return cache.hold("tiny", version, **more)


def size(cache: Cache) -> int:
    files = (path for path in Path(cache.root).rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files)


def test_a_version_is_copied_once_and_needs_no_store_then(cache, store):
    first = hold(cache, "1")
    assert first["changed"]
    assert (Path(first["path"]) / "b.json").read_text() == "1"
    assert cache.here.verify("tiny", "1") == []
    shutil.move(store.root, store.root + ".away")
    again = hold(cache, "1")
    assert (again["changed"], again["mended"]) == (False, False)
    with pytest.raises(Refused, match="has no tiny 2"):
        hold(cache, "2")


def test_twelve_versions_in_a_cache_for_four_keep_the_active_and_the_one_before(cache):
    limit = 4 * (SIZE + 1000)
    for version in range(1, 13):
        kept = ("tiny/1", "tiny/2")
        small = Cache(cache.root, cache.store, limit=limit, kept=kept)
        hold(small, str(version))
        # The active one is used now and then, too.
        hold(small, "1")
        # Manifests and the order come on top of what is limited.
        assert size(small) <= limit + 10_000
    assert {version for _name, version in small.here.names()} == {"1", "2", "11", "12"}


def test_the_least_recently_used_is_given_up(cache):
    small = Cache(cache.root, cache.store, limit=3 * (SIZE + 1000))
    for version in ("1", "2", "3", "1"):
        hold(small, version)
    assert small.would_hold("tiny", "4")["evicted"] == ["tiny/2"]
    assert {version for _name, version in small.here.names()} == {"1", "2", "3"}
    assert hold(small, "4")["evicted"] == ["tiny/2"]


def test_what_does_not_fit_is_refused_and_nothing_given_up(cache):
    hold(cache, "1")
    small = Cache(cache.root, cache.store, limit=SIZE + 1000, kept=("tiny/1",))
    with pytest.raises(Refused, match="Raise its limit"):
        hold(small, "2")
    with pytest.raises(Refused, match="not the cache's"):
        hold(Cache(cache.root, cache.store, limit=2**40, spare=2**60), "2")
    assert cache.here.names() == [("tiny", "1")]


SPOIL = {
    "a byte": lambda place: (place / "a.bin").open("r+b").write(b"\0"),
    "a file gone": lambda place: (place / "b.json").unlink(),
    "cut off": lambda place: os.truncate(place / "a.bin", 5),
    "no manifest": lambda place: (place / "manifest.json").unlink(),
    "a bad manifest": lambda place: (place / "manifest.json").write_text("{"),
}


@pytest.mark.parametrize("spoil", SPOIL.values(), ids=SPOIL)
def test_what_is_spoiled_in_the_cache_is_copied_anew(cache, spoil):
    spoil(Path(hold(cache, "1")["path"]))
    found = hold(cache, "1")
    assert (found["changed"], found["mended"]) == (True, True)
    assert cache.here.verify("tiny", "1") == []


def test_a_byte_flipped_in_the_store_is_found_and_nothing_is_there(cache, store):
    with (Path(store.path("tiny", "1")) / "a.bin").open("r+b") as stream:
        stream.write(b"\0")
    with pytest.raises(Unreadable, match="the store is damaged"):
        hold(cache, "1")
    assert cache.here.names() == []


def test_another_digest_than_the_release_names_is_refused(cache, store):
    good = store.manifest("tiny", "1").digest
    with pytest.raises(Refused, match="not the expected"):
        hold(cache, "1", sha256="0" * 64)
    hold(cache, "1", sha256=good)
    with pytest.raises(Refused, match="not the expected"):
        hold(cache, "1", sha256="0" * 64)


def test_a_copy_that_was_killed_is_gone_on_with(cache, store, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    partial = Path(cache.root, ".incoming", "tiny@1", "a.bin")
    for _death in range(3):
        before = partial.stat().st_size if partial.exists() else 0
        copier = subprocess.Popen([sys.executable, "-c", COPY, cache.root, store.root])
        end = time.monotonic() + 30
        while not (partial.exists() and partial.stat().st_size > before) and time.monotonic() < end:
            time.sleep(0.01)
        copier.send_signal(signal.SIGKILL)
        copier.wait()
        assert cache.here.names() == []
        assert before < partial.stat().st_size < SIZE
    steps = []
    monkeypatch.setattr(cache_module.Pace, "step", lambda _pace, size: steps.append(size))
    left = SIZE - partial.stat().st_size
    hold(cache, "1")
    assert sum(steps) == left + 1
    assert cache.here.verify("tiny", "1") == []
    assert os.listdir(Path(cache.root, ".incoming")) == []


def test_a_wrong_part_of_an_earlier_try_costs_a_second_copy_only(cache):
    partial = Path(cache.root, ".incoming", "tiny@1", "a.bin")
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"nonsense")
    longer = Path(cache.root, ".incoming", "tiny@1", "b.json")
    longer.write_text("much longer than it should be")
    hold(cache, "1")
    assert cache.here.verify("tiny", "1") == []


def test_what_other_tries_left_goes(cache):
    other = Path(cache.root, ".incoming", "tiny@2")
    other.mkdir(parents=True)
    hold(cache, "1")
    assert not other.exists()


def test_reading_from_the_store_is_held_to_a_rate(monkeypatch):
    slept = []
    clock = type("Clock", (), {"monotonic": staticmethod(lambda: 100.0), "sleep": staticmethod(slept.append)})
    monkeypatch.setattr(cache_module, "time", clock)
    pace = cache_module.Pace(1000, lambda _bytes: None)
    pace.step(500)
    pace.step(1500)
    assert slept == [0.5, 2.0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small file system")
def test_a_disk_that_fills_up_leaves_no_version(tmp_path, store):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(small)], check=True)
    try:
        cache = Cache(str(small), store, limit=2**30, spare=-(2**30))
        with pytest.raises(PlatformError, match="No space left"):
            hold(cache, "1")
        assert cache.here.names() == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_kept_version_is_not_removed(cache):
    hold(cache, "1")
    keeping = Cache(cache.root, cache.store, limit=2**30, kept=("tiny/1",))
    with pytest.raises(Refused, match="still named"):
        keeping.remove("tiny", "1")
    assert cache.remove("tiny", "1", only_look=True)
    assert cache.remove("tiny", "1")
    assert not cache.remove("tiny", "1")

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host's copy on disk: crashes, full disks, damage, and who may write."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Refused, Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger import store as store_module
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.lease import Lease, Moment
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.records import Record
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.store import Store


def line(seq, fence=1, **data):
    return Record(seq, fence, "run1", "draining", "now", data).line()


@pytest.fixture
def clock(monkeypatch):
    """Uptime in a list, to be moved by hand."""
    uptime = [1000.0]
    monkeypatch.setattr(store_module, "now", lambda: Moment(uptime[0], "boot"))
    return uptime


@pytest.fixture
def store(tmp_path, clock):
    """A ledger that alice holds, with two records."""
    found = Store(str(tmp_path), "serving")
    found.take("alice", "run1", 1, 60, None)
    found.append("alice", 1, 60, [line(1), line(2)])
    return found


def seqs(store):
    return [record.seq for record in store.records()[0]]


def test_this_host_says_how_long_it_has_been_up():
    first = store_module.now()
    assert first.uptime > 0
    assert store_module.now().boot == first.boot != ""


def test_nothing_there_is_an_empty_ledger(tmp_path):
    store = Store(str(tmp_path), "serving")
    assert (store.lease(), store.records()) == (Lease(), ([], False))
    assert not (tmp_path / "serving").exists()


def test_a_write_may_be_repeated(store):
    store.append("alice", 1, 60, [line(2), line(3)])
    store.append("alice", 1, 60, [line(2), line(3)])
    assert seqs(store) == [1, 2, 3]


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([line(4)], "ends at record 2"),
        ([line(2, other=True)], "another record 2"),
        ([line(1, x=1), line(3)], "another"),
    ],
)
def test_a_copy_that_is_behind_or_differs_says_so(store, records, message):
    with pytest.raises(Refused, match=message) as caught:
        store.append("alice", 1, 60, records)
    assert caught.value.evidence == {"behind": True}
    assert seqs(store) == [1, 2]


def test_a_late_holder_writes_nothing(store, clock):
    clock[0] += 60
    with pytest.raises(Refused, match="run out"):
        store.append("alice", 1, 60, [line(3)])
    store.take("bob", "run2", 2, 60, None)
    with pytest.raises(Refused, match="fencing number 2 of bob is here, not 1"):
        store.append("alice", 1, 60, [line(3)])
    assert seqs(store) == [1, 2]


def test_holding_adds_nothing_and_lasts(store, clock):
    clock[0] += 59
    assert store.append("alice", 1, 60, []).left(store_module.now()) == 60
    assert seqs(store) == [1, 2]


def test_given_back_it_is_free_and_its_number_stays_used(store):
    store.release("bob", 1)
    with pytest.raises(Refused, match="held by alice"):
        store.take("bob", "run2", 2, 60, None)
    store.release("alice", 1)
    with pytest.raises(Refused, match="not newer"):
        store.take("bob", "run2", 1, 60, None)
    assert store.take("bob", "run2", 2, 60, None).owner == "bob"


def test_taking_replaces_a_journal_that_is_behind_and_never_a_newer_one(store, clock):
    clock[0] += 60
    newer = [line(1), line(2), line(3, fence=2)]
    store.take("bob", "run2", 3, 60, newer)
    assert seqs(store) == [1, 2, 3]
    with pytest.raises(Refused, match="newer, it ends at record 3"):
        store.take("bob", "run2", 3, 60, [line(1), line(2)])
    assert seqs(store) == [1, 2, 3]
    # An unacknowledged tail of an older holder gives way, though it is longer.
    store.append("bob", 3, 60, [line(4, fence=3), line(5, fence=3)])
    store.take("bob", "run2", 4, 60, [*newer, line(4, fence=4)])
    assert [record.fence for record in store.records()[0]] == [1, 1, 2, 4]


def test_a_refused_taking_changes_nothing(store):
    before = {path.name: path.read_bytes() for path in Path(store.folder).iterdir()}
    with pytest.raises(Refused):
        store.take("bob", "run2", 2, 60, [line(1)])
    assert {path.name: path.read_bytes() for path in Path(store.folder).iterdir()} == before


def test_a_torn_line_is_dropped_said_and_written_over(store):
    with open(store.journal, "a") as stream:
        stream.write(line(3)[:20])
    records, torn = store.records()
    assert ([record.seq for record in records], torn) == ([1, 2], True)
    store.append("alice", 1, 60, [line(3)])
    assert (seqs(store), store.records()[1]) == ([1, 2, 3], False)


def test_a_damaged_middle_is_not_guessed_at_and_a_taking_repairs_it(store):
    text = Path(store.journal).read_text()
    Path(store.journal).write_text(text.replace(line(1), line(1).replace("run1", "run9")))
    with pytest.raises(Unreadable, match="line 1 of the journal"):
        store.records()
    with pytest.raises(Unreadable, match="line 1 of the journal"):
        store.append("alice", 1, 60, [line(3)])
    store.take("alice", "run1", 2, 60, [line(1), line(2)])
    assert seqs(store) == [1, 2]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"fence": 1, "strange": 2}'])
def test_a_lease_that_cannot_be_read_is_not_a_free_one(store, content):
    Path(store.lease_file).write_text(content)
    for act in (store.lease, lambda: store.take("bob", "run2", 9, 60, None)):
        with pytest.raises(Unreadable, match=r"lease .* cannot be read"):
            act()


def test_a_journal_without_end_is_not_read(store, monkeypatch):
    monkeypatch.setattr(store_module, "MAX_JOURNAL", 20)
    with pytest.raises(Unreadable, match="longer than 20"):
        store.records()


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "ledger").write_text("in the way")
    with pytest.raises(Unreadable, match="cannot be opened"):
        Store(str(tmp_path / "ledger"), "serving").take("alice", "run1", 1, 60, None)


# --- A full disk ----------------------------------------------------------------------------------------------------


def full(*_arguments, **_options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_for_appending(path, mode="r", **options):
    return full() if mode == "a" else open(path, mode, **options)


def snapshot(store):
    return {path.name: path.read_bytes() for path in Path(store.folder).iterdir() if path.name != "lock"}


@pytest.mark.parametrize("tear", [False, True])
@pytest.mark.parametrize("call", ["fsync", "open", "replace"])
def test_on_a_full_disk_nothing_is_added(store, monkeypatch, call, tear):
    if tear:
        with open(store.journal, "a") as stream:
            stream.write("torn")
    before = snapshot(store)
    if call in ("fsync", "replace"):
        monkeypatch.setattr(os, call, full)
    else:
        monkeypatch.setattr(store_module, "open", full_for_appending, raising=False)
    if call == "open" and tear:
        # A torn journal is not added to but written anew.
        store.append("alice", 1, 60, [line(3)])
        return
    with pytest.raises(Unreadable, match=r"cannot be written: .*No space left"):
        store.append("alice", 1, 60, [line(3)])
    monkeypatch.undo()
    after = snapshot(store)
    assert seqs(store) == [1, 2]
    assert after == before
    assert [name for name in after if name.startswith(".")] == []


def test_a_write_that_ended_in_part_leaves_no_torn_line(store, monkeypatch):
    class Half:
        def __init__(self, *arguments, **options):
            self._stream = open(*arguments, **options)  # noqa: SIM115

        def __getattr__(self, name):
            return getattr(self._stream, name)

        def __enter__(self):
            return self

        def __exit__(self, *_exception):
            self._stream.close()

        def write(self, text):
            self._stream.write(text[:30])
            self._stream.flush()
            full()

    monkeypatch.setattr(store_module, "open", lambda *a, **k: (Half if "a" in a else open)(*a, **k), raising=False)
    with pytest.raises(Unreadable, match="No space left"):
        store.append("alice", 1, 60, [line(3)])
    assert store.records()[1] is False
    assert seqs(store) == [1, 2]


def test_a_lease_that_cannot_be_written_was_not_taken(store, clock, monkeypatch):
    clock[0] += 60
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(PlatformError, match="cannot be written"):
        store.take("bob", "run2", 2, 60, None)
    monkeypatch.undo()
    assert store.lease().owner == "alice"


# --- Others on the same disk ----------------------------------------------------------------------------------------

WRITER = """
import sys
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.records import Record
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.store import Store

store = Store(sys.argv[1], "serving")
store.take("alice", "run1", 1, 3600, None)
print("begun", flush=True)
for seq in range(1, 100000):
    store.append("alice", 1, 3600, [Record(seq, 1, "run1", "draining", "now", {"filler": "x" * 3000}).line()])
    print(seq, flush=True)
"""


def test_a_writer_killed_in_the_middle_loses_nothing_it_was_told_is_written(tmp_path):
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=paths
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "begun\n"
    time.sleep(0.3)
    writer.send_signal(signal.SIGKILL)
    told = [int(said) for said in writer.stdout.read().split() if said.isdigit()]
    writer.wait(10)
    writer.stdout.close()
    store = Store(str(tmp_path), "serving")
    found = seqs(store)
    assert found == list(range(1, len(found) + 1))
    assert len(found) >= max(told, default=0)
    # The lock died with it, and the ledger goes on from where it stood.
    store.append("alice", 1, 3600, [line(len(found) + 1)])
    assert seqs(store)[-1] == len(found) + 1


def test_two_at_once_and_one_takes_it(tmp_path):
    code = (
        "import sys\n"
        "from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused\n"
        "from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.store import Store\n"
        "try:\n"
        "    Store(sys.argv[1], 'serving').take(sys.argv[2], 'run', 1, 60, None)\n"
        "    print('took')\n"
        "except Refused as error:\n"
        "    print(error.message)\n"
    )
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), name], stdout=subprocess.PIPE, text=True, env=paths
        )
        for name in ("alice", "bob")
    ]
    said = sorted(process.communicate(timeout=60)[0] for process in both)
    assert said[1] == "took\n"
    assert "is held by" in said[0]

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log on disk: crashes, damage, and several who ask at once."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import desk as ops
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import store as store_module
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.chain import Head, head_of
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.clock import Now
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.desk import Answer
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.store import Book
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.lease import Moment

from tests.replay.desk import BEGIN
from tests.unit.plugins.module_utils.guard.fleet import alert, known, policy

UNDER = policy()


@pytest.fixture
def clock(monkeypatch):
    """Seconds, to be moved by hand."""
    seconds = [0.0]

    def now():
        return Now(BEGIN + seconds[0], Moment(1000 + seconds[0], "boot"))

    monkeypatch.setattr(store_module, "now", now)
    return seconds


@pytest.fixture
def book(tmp_path, clock):
    return Book(str(tmp_path / "guard"))


def say(book, number):
    return book.transact(lambda _state, _now: Answer({}, "paused", {"by": "alice", "reason": f"reason {number}"}))[1]


def ask(book, write=True):
    return book.transact(lambda state, now: ops.ask(state, alert(), known(), UNDER, now), write)


def lines(book):
    with open(book.journal, encoding="utf-8") as stream:
        return stream.read().splitlines()


def test_this_host_has_a_time():
    now = store_module.now()
    assert abs(now.wall - time.time()) < 60
    assert now.moment.uptime > 0


def test_nothing_there_is_an_empty_log(book):
    state, records = book.look()
    assert (records, state.paused, book.head(), book.verify()) == ([], None, Head(), [])
    assert not os.path.exists(book.folder)


def test_a_question_is_written_and_its_permit_holds(book):
    answer, record = ask(book)
    assert (answer.said["verdict"], record.seq) == ("act", 1)
    book.transact(lambda state, now: ops.begin(state, "1", now))
    assert ask(book)[0].said["rule"] == "acted"
    assert [json.loads(line.partition(" ")[2])["event"] for line in lines(book)] == ["decided", "begun", "decided"]
    assert book.verify() == []
    assert book.head() == head_of(book.look()[1])
    assert oct(os.stat(book.journal).st_mode)[-3:] == "640"


def test_a_question_that_is_not_written_leaves_no_trace(book):
    answer, record = ask(book, write=False)
    assert (answer.said["verdict"], record) == ("act", None)
    assert not os.path.exists(book.folder)
    say(book, 1)
    before = lines(book)
    assert ask(book, write=False)[0].said["rule"] == "pause"
    assert lines(book) == before


def test_no_news_is_not_written(book):
    say(book, 1)
    ask(book)
    assert ask(book)[1] is None
    assert len(lines(book)) == 2


def test_what_the_work_raises_goes_up_and_nothing_is_written(book):
    say(book, 1)

    def refuse():
        raise Unreadable("no")

    with pytest.raises(Unreadable, match="no"):
        book.transact(lambda _state, _now: refuse())
    assert len(lines(book)) == 1


def test_a_record_that_was_torn_is_dropped_and_the_log_goes_on(book):
    say(book, 1)
    with open(book.journal, "a", encoding="utf-8") as stream:
        stream.write('00000000 {"seq":2,"fe')
    assert book.verify() == ["the last record is torn or damaged"]
    assert say(book, 2).seq == 2
    assert book.verify() == []


def test_a_crash_between_the_log_and_its_head(book):
    say(book, 1)
    with open(book.head_file, encoding="ascii") as stream:
        head = stream.read()
    say(book, 2)
    with open(book.head_file, "w", encoding="ascii") as stream:
        stream.write(head)
    assert book.verify() == []
    assert say(book, 3).seq == 3


@pytest.mark.parametrize("kind", ["cut", "gone", "last", "middle", "removed"])
def test_a_log_that_is_not_what_was_written_allows_nothing(book, kind):
    for number in range(1, 5):
        say(book, number)
    have = lines(book)
    if kind == "cut":
        have = have[:3]
    elif kind == "gone":
        os.unlink(book.journal)
    elif kind == "last":
        have[3] = have[3].replace("reason 4", "reason 7")
    elif kind == "middle":
        have[1] = have[1].replace("reason 2", "reason 7")
    else:
        del have[1]
    if kind != "gone":
        with open(book.journal, "w", encoding="utf-8") as stream:
            stream.write("".join(line + "\n" for line in have))
    assert book.verify() != []
    for work in (lambda: say(book, 5), lambda: ask(book), book.look):
        with pytest.raises(Unreadable):
            work()


@pytest.mark.parametrize("text", ["rubbish", "4:", "9" * 300])
def test_a_head_that_cannot_be_read_allows_nothing(book, text):
    say(book, 1)
    with open(book.head_file, "w", encoding="ascii") as stream:
        stream.write(text)
    with pytest.raises(Unreadable):
        say(book, 2)
    assert book.verify() != []


def test_a_full_disk_takes_nothing_in_part(book, monkeypatch):
    say(book, 1)

    def full(_handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module.ledger.os, "fsync", full)
    with pytest.raises(Unreadable, match="No space left"):
        say(book, 2)
    monkeypatch.undo()
    assert len(lines(book)) == 1


def test_a_long_log_goes_on_in_a_new_file(book, monkeypatch):
    monkeypatch.setattr(store_module, "MOST_RECORDS", 5)
    monkeypatch.setattr(store_module.ledger, "MOST_ARCHIVES", 3)
    ask(book)
    heads = []
    for number in range(2, 31):
        say(book, number)
        heads.append(book.head())
        assert book.verify(heads[-1]) == []
        assert book.verify(heads[max(0, len(heads) - 9)]) == []
    assert len(lines(book)) <= 5
    archives = sorted(name for name in os.listdir(book.folder) if name.startswith("archive"))
    assert len(archives) == 3
    assert book.look()[0].event(alert().key, 1000).verdict == "act"
    with open(os.path.join(book.folder, archives[1]), "r+", encoding="utf-8") as stream:
        stream.seek(20)
        stream.write("x")
    assert book.verify() != []
    # What is archived is for whoever looks back; the guard itself goes by the journal.
    assert say(book, 31)


def test_a_crash_while_the_log_is_put_aside(book, monkeypatch):
    monkeypatch.setattr(store_module, "MOST_RECORDS", 3)
    for number in range(1, 4):
        say(book, number)

    def crash(*_arguments):
        raise Unreadable("crashed")

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "link", crash)
        with pytest.raises(Unreadable, match="crashed"):
            say(book, 4)
    assert "archive-000000000003" in os.listdir(book.folder)
    assert book.verify() == []
    assert say(book, 4).seq == 5
    assert book.verify() == []


def test_a_snapshot_that_was_forged_is_found(book, monkeypatch):
    monkeypatch.setattr(store_module, "MOST_RECORDS", 2)
    say(book, 1)
    say(book, 2)
    forged = {**book.look()[0].snapshot(), "paused": None}
    with monkeypatch.context() as patch:
        patch.setattr(store_module.State, "snapshot", lambda _self: forged)
        say(book, 3)
    assert book.verify() == ["record 3 is not what the records before it come to"]


# --- Others on the same disk ----------------------------------------------------------------------------------------

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
HEAD = """
import sys
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard import desk as ops
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.store import Book
from tests.unit.plugins.module_utils.guard.fleet import alert, known, policy
book = Book(sys.argv[1])
"""
WRITER = f"""{HEAD}
print("begun", flush=True)
for number in range(100000):
    record = book.transact(lambda state, now: ops.pause(state, "alice", f"reason {{number}}"))[1]
    print(record.seq, flush=True)
"""
ASKER = f"""{HEAD}
from dataclasses import replace
event = replace(alert(), starts_at=float(sys.argv[2]), seen_at=float(sys.argv[2]))
answer, record = book.transact(lambda state, now: ops.ask(state, event, known(), policy(), now))
print(answer.said["verdict"], answer.said["rule"])
"""


def test_a_guard_killed_in_the_middle_forgets_nothing_it_has_said(tmp_path):
    folder = str(tmp_path / "guard")
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, folder], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "begun\n"
    time.sleep(0.3)
    writer.send_signal(signal.SIGKILL)
    told = [int(said) for said in writer.stdout.read().split() if said.isdigit()]
    writer.wait(10)
    writer.stdout.close()
    book = Book(folder)
    found = [record.seq for record in book.look()[1]]
    assert found == list(range(1, len(found) + 1))
    assert len(found) >= max(told, default=0)
    assert say(book, 0).seq == len(found) + 1
    assert book.verify() == []


def test_three_at_once_and_one_is_permitted(tmp_path):
    folder = str(tmp_path / "guard")
    argv = [sys.executable, "-c", ASKER, folder, str(time.time())]
    askers = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) for _each in range(3)]
    said = sorted(asker.communicate(timeout=60)[0].strip() for asker in askers)
    assert said == ["act allowed", "wait acted", "wait acted"]
    assert Book(folder).verify() == []

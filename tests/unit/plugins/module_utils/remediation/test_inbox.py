# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was taken is there after any death, once, until it is settled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused, Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.event import Event
from ansible_collections.steadfast.ai_platform.plugins.module_utils.remediation import inbox as room
from ansible_collections.steadfast.ai_platform.plugins.module_utils.remediation.inbox import Inbox
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

EVENT = Event("ab", 100.0, "firing", "EngineHung", "gpu1", 101.0)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "inbox.sqlite")


def test_an_event_is_there_once_and_waits(path: str) -> None:
    inbox = Inbox(path)
    assert inbox.put([EVENT], 110.0) == (1, 0)
    assert inbox.put([replace(EVENT, seen_at=130.0), replace(EVENT, fingerprint="cd")], 140.0) == (1, 1)
    entries = Inbox(path).due(200.0)
    assert [(entry.event.fingerprint, entry.event.seen_at, entry.received_at) for entry in entries] == [
        ("ab", 130.0, 110.0),
        ("cd", 101.0, 140.0),
    ]
    # An older delivery that comes late changes nothing.
    inbox.put([EVENT], 150.0)
    assert inbox.due(200.0)[0].event.seen_at == 130.0


def test_from_waiting_to_settled(path: str) -> None:
    inbox = Inbox(path)
    inbox.put([EVENT], 110.0)
    inbox.later(EVENT.key, 170.0, "wait", "patience: known for 10 s of 60")
    assert inbox.due(169.0) == []
    assert inbox.due(170.0)[0].reason == "patience: known for 10 s of 60"
    inbox.begin(EVENT.key, 7, "run-1")
    assert inbox.due(999.0) == []
    (entry,) = Inbox(path).working()
    assert (entry.permit, entry.run, entry.state) == (7, "run-1", "working")
    inbox.settle(EVENT.key, "done", "proved", 300.0)
    assert inbox.counts() == {"waiting": 0, "working": 0, "settled": 1}
    # It is delivered again: known, and over.
    assert inbox.put([EVENT], 310.0) == (0, 1)
    assert inbox.due(999.0) == []
    assert inbox.newest(5)[0].verdict == "done"


def test_what_is_over_is_over(path: str) -> None:
    inbox = Inbox(path)
    with pytest.raises(Refused, match="no event"):
        inbox.settle(EVENT.key, "done", "", 1.0)
    inbox.put([EVENT], 110.0)
    inbox.begin(EVENT.key, 7, "run-1")
    with pytest.raises(Refused, match="is waiting"):
        inbox.begin(EVENT.key, 8, "run-2")
    with pytest.raises(Refused, match="is waiting"):
        inbox.later(EVENT.key, 1.0, "wait", "")
    inbox.settle(EVENT.key, "lost", "", 120.0)
    with pytest.raises(Refused, match="waiting or working"):
        inbox.settle(EVENT.key, "done", "", 121.0)
    assert inbox.newest(1)[0].verdict == "lost"


def test_only_what_is_settled_is_forgotten(path: str) -> None:
    inbox = Inbox(path)
    events = [replace(EVENT, fingerprint=name) for name in ("a1", "a2", "a3")]
    inbox.put(events, 1.0)
    inbox.begin(events[1].key, 1, "run")
    inbox.settle(events[2].key, "refuse", "", 2.0)
    assert inbox.forget(2.0) == 0
    assert inbox.forget(1e9) == 1
    assert inbox.counts() == {"waiting": 1, "working": 1, "settled": 0}


def test_too_many_are_refused_whole(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_WAITING", 2)
    inbox = Inbox(path)
    inbox.put([EVENT], 1.0)
    more = [replace(EVENT, fingerprint=name) for name in ("a1", "a2")]
    with pytest.raises(Refused, match="at most 2"):
        inbox.put(more, 2.0)
    assert inbox.counts()["waiting"] == 1
    # What is known is always taken.
    assert inbox.put([EVENT], 3.0) == (0, 1)


def test_a_spoiled_file_takes_nothing(tmp_path: Path) -> None:
    spoiled = tmp_path / "inbox.sqlite"
    spoiled.write_bytes(b"no database" * 500)
    with pytest.raises(Unreadable, match="cannot be used"):
        Inbox(str(spoiled))
    with pytest.raises(Unreadable, match="cannot be used"):
        Inbox(str(tmp_path / "absent" / "inbox.sqlite"))


# Takes events one after the other, and tells each that is taken, until it is killed.
TAKER = """
import itertools, sys
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.event import Event
from ansible_collections.steadfast.ai_platform.plugins.module_utils.remediation.inbox import Inbox
inbox = Inbox(sys.argv[1])
for number in itertools.count():
    inbox.put([Event("f%d" % number, 1.0, "firing", "A", "h", 1.0)], 1.0)
    print(number, flush=True)
"""


@pytest.mark.parametrize("told", [1, 7, 30])
def test_what_was_told_as_taken_is_there_after_a_kill(path: str, told: int) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", TAKER, path], stdout=subprocess.PIPE, text=True, env=environment
    ) as taker:
        assert taker.stdout is not None
        last = -1
        for line in taker.stdout:
            last = int(line)
            if last + 1 >= told:
                break
        os.kill(taker.pid, signal.SIGKILL)
        rest = taker.stdout.read().split()
    last = int(rest[-1]) if rest else last
    waiting = Inbox(path).counts()["waiting"]
    # The one that was under way when it died is there whole, or not at all.
    assert last + 1 <= waiting <= last + 2


class Life(RuleBasedStateMachine):
    """Any order of deliveries, answers and restarts against a model."""

    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.inbox = Inbox(self.folder.name + "/inbox.sqlite")
        self.model: dict[str, str] = {}

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(target=keys, number=st.integers(0, 5), status=st.sampled_from(["firing", "resolved"]))
    def deliver(self, number: int, status: str) -> str:
        event = replace(EVENT, fingerprint=f"f{number}", status=status)
        new, known = self.inbox.put([event], 5.0)
        assert (new, known) == ((0, 1) if event.key in self.model else (1, 0))
        self.model.setdefault(event.key, "waiting")
        return event.key

    @rule(key=keys)
    def begin(self, key: str) -> None:
        if self.model[key] == "waiting":
            self.inbox.begin(key, 1, "run")
            self.model[key] = "working"
        else:
            with pytest.raises(Refused):
                self.inbox.begin(key, 1, "run")

    @rule(key=consumes(keys))
    def settle(self, key: str) -> None:
        if self.model[key] == "settled":
            with pytest.raises(Refused):
                self.inbox.settle(key, "done", "", 6.0)
        else:
            self.inbox.settle(key, "done", "", 6.0)
            self.model[key] = "settled"

    @rule()
    def restart(self) -> None:
        self.inbox = Inbox(self.inbox.path)

    @invariant()
    def agrees(self) -> None:
        found = {entry.event.key: entry.state for entry in self.inbox.newest(100)}
        assert found == self.model


TestLife = Life.TestCase

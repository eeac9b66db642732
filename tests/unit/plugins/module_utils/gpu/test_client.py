# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a program does, the talker ends in time; and what could not be read is told with its reason."""

from __future__ import annotations

import json
import re
import sys
import time

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu import client
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.client import Node, run
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.refusals import Answer

from tests.unit.plugins.module_utils.gpu.answers import BOOT, text

ENTRY = json.dumps(
    {"__REALTIME_TIMESTAMP": "5000000", "_BOOT_ID": BOOT, "MESSAGE": "NVRM: Xid (PCI:0000:41:00): 79, gone"}
)


class Host:
    """Answers commands by their first word; remembers them."""

    def __init__(self, **answers):
        self.answers = {"nvidia": Answer(0, text("v13")), "journalctl": Answer(0, ENTRY), **answers}
        self.asked = []

    def __call__(self, argv, _seconds):
        self.asked.append(argv)
        answer = self.answers[argv[0].split("-")[0]]
        return answer(argv) if callable(answer) else answer


@pytest.fixture(name="root")
def _root(tmp_path):
    (tmp_path / "proc/sys/kernel/random").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/random/boot_id").write_text("-".join([BOOT[:8], BOOT[8:]]) + "\n")
    (tmp_path / "proc/stat").write_text("cpu 1 2\nbtime 1000\nprocesses 5\n")
    for name, vendor, kind in (
        ("0000:41:00.0", "0x10de", "0x030200"),
        ("0000:41:00.1", "0x10de", "0x040300"),
        ("0000:00:02.0", "0x8086", "0x030000"),
    ):
        device = tmp_path / "sys/bus/pci/devices" / name
        device.mkdir(parents=True)
        (device / "vendor").write_text(vendor + "\n")
        (device / "class").write_text(kind + "\n")
    (tmp_path / "drivers/nvidia").mkdir(parents=True)
    (tmp_path / "sys/bus/pci/devices/0000:41:00.0/driver").symlink_to(tmp_path / "drivers/nvidia")
    return tmp_path


def looked(root, **answers):
    host = Host(**answers)
    return Node(runner=host, root=str(root)).look(0.0), host


def test_all_that_a_judgement_needs(root):
    seen, host = looked(root)
    assert seen.look is not None
    assert len(seen.look.gpus) == 2
    assert [(event.code, event.at) for event in seen.events or []] == [(79, 5.0)]
    assert (seen.boot, seen.on_bus) == (BOOT, {"0000:41:00.0": "nvidia"})
    assert host.asked[0] == ["nvidia-smi", "-q", "-x"]
    assert all("_TRANSPORT=kernel" in argv and "-k" not in argv for argv in host.asked if argv[0] == "journalctl")
    assert abs(seen.now - time.time()) < 60


def test_without_a_journal_dmesg_is_asked(root):
    dmesg = Answer(0, "[   10.5] NVRM: Xid (PCI:0000:41:00): 48, x\n[    1.0] NVRM: Xid (PCI:0000:41:00): 31, x\n")
    for journal in (Answer(None, absent=True), Answer(0, ""), Answer(1, "", "denied")):
        seen, _host = looked(root, journalctl=journal, dmesg=dmesg)
        assert [(event.at, event.code, event.boot) for event in seen.events or []] == [
            (1001.0, 31, BOOT),
            (1010.5, 48, BOOT),
        ]
    seen = Node(runner=Host(journalctl=Answer(0), dmesg=dmesg), root=str(root)).look(1005.0)
    assert [event.code for event in seen.events or []] == [48]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"journalctl": Answer(0), "dmesg": Answer(1, "", "denied")}, "neither the journal nor dmesg.*denied"),
        ({"journalctl": Answer(0), "dmesg": Answer(None)}, "no end in time"),
        ({"journalctl": Answer(0, "{")}, "not understood"),
        ({"journalctl": lambda argv: Answer(0 if "-n" in argv else None, ENTRY)}, "did not tell all"),
    ],
)  # fmt: skip
def test_a_log_that_cannot_be_read_is_not_empty(root, answers, reason):
    seen, _host = looked(root, **answers)
    assert seen.events is None
    assert re.search(reason, seen.log_unread)


def test_an_answer_that_cannot_be_read_is_none_with_its_reason(root):
    seen, _host = looked(root, nvidia=Answer(0, text("v13")[:500]))
    assert seen.look is None
    assert "cut off" in seen.unread


def test_links_are_asked_when_they_are_expected(root):
    def answer(argv):
        return Answer(0, text("v13") if "-x" in argv else "GPU 0: x (UUID: GPU-00000000)\n\t Link 0: 26 GB/s\n")

    seen = Node(runner=Host(nvidia=answer), root=str(root)).look(0.0, nvlinks=True)
    assert seen.nvlinks == {"GPU-00000000": 1}


def test_a_host_without_pci_does_not_say_that_there_is_no_gpu(tmp_path):
    seen = Node(runner=Host(journalctl=Answer(0), dmesg=Answer(0)), root=str(tmp_path)).look(0.0)
    assert seen.on_bus is None
    # When the host was started is not known, so what dmesg tells has no time.
    assert seen.events is None


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_command_that_ends():
    answer = run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"), 20)
    assert answer == Answer(3, "out\n", "err\n")
    assert run(["/nowhere/nvidia-smi"], 5) == Answer(None, absent=True)
    with pytest.raises(Unreadable):
        run(["/"], 5)


@pytest.mark.parametrize(
    "code",
    [
        "import time; print('half', flush=True); time.sleep(60)",
        "import os, time; os.close(1); os.close(2); time.sleep(60)",
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])",
        "import time\nwhile True: print('x', flush=True); time.sleep(0.01)",
    ],
    ids=["silent", "closed", "child", "trickles"],
)
def test_a_command_that_does_not_end_is_left(code):
    begin = time.monotonic()
    assert run(python(code), 0.3).status is None
    assert time.monotonic() - begin < 8


def test_a_command_that_answers_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(client, "MAX_BYTES", 100_000)
    with pytest.raises(Unreadable, match="more than"):
        run(python("while True: print('x' * 1000)"), 20)

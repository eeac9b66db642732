# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The helper that hands server states over: what it takes for an answer, and what it never destroys."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.roles.program import load

ROOT = Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "tests/unit/plugins/module_utils/haproxy/fixtures"
CONFIG = """
backend other
    server gpu1 192.0.2.1:1
backend serving
    default-server check weight 100
    server gpu1 127.0.0.1:19001
    server gpu2 [::1]:19002 check
"""


@pytest.fixture(scope="module")
def helper() -> ModuleType:
    """The script, loaded as a module."""
    return load("load_balancer/files/haproxy_handover.py")


@contextmanager
def master(path: Path, answer: bytes) -> Iterator[str]:
    """A master socket that gives one answer to one question."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            client, _address = server.accept()
            with client:
                while client.recv(4096):
                    pass
                client.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield str(path)
        thread.join(timeout=5)


@pytest.mark.parametrize("version", ["2.6", "3.0"])
def test_ports_come_from_the_configuration_and_the_rest_from_haproxy(helper: ModuleType, version: str) -> None:
    recorded = (FIXTURES / version / "drain_show_servers_state.txt").read_text()
    before = [line.split() for line in recorded.splitlines()[2:] if line]
    after = [line.split() for line in helper.rewritten(recorded, helper.configured_ports(CONFIG)).splitlines()[2:]]
    assert [row[18] for row in after] == ["19001", "19002", "18003"]
    assert [row[:18] + row[19:] for row in after] == [row[:18] + row[19:] for row in before]


@pytest.mark.parametrize(("agent", "weight"), [(6, "100"), (2, "35"), (0, "35")], ids=["speaks", "silent", "none"])
def test_the_share_that_a_load_agent_takes_does_not_outlive_it(helper: ModuleType, agent: int, weight: str) -> None:
    head, names, *rows = (FIXTURES / "3.0/show_servers_state.txt").read_text().splitlines()
    places = {name: number for number, name in enumerate(names[2:].split())}
    row = rows[0].split(" ")
    row[places["srv_uweight"]], row[places["srv_iweight"]] = "35", "100"
    row[places["srv_agent_state"]] = str(agent)
    state = "\n".join((head, names, " ".join(row))) + "\n"
    assert helper.rewritten(state, {}).splitlines()[2].split(" ")[places["srv_uweight"]] == weight


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Can't find the target PID matching the prefix '@1'",
        "1\n",
        "1\n# be_id be_name srv_name srv_port\n3 serving gpu1",
        "1\n# be_id be_name srv_name srv_port\n3 serving gpu1 80",
        "2\n# be_id be_name srv_name srv_port\n3 serving gpu1 80\n",
        "1\n# be_id be_name srv_name\n3 serving gpu1\n",
    ],
)
def test_a_bad_answer_leaves_the_good_file(
    helper: ModuleType, answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config, state = tmp_path / "haproxy.cfg", tmp_path / "server-state"
    config.write_text(CONFIG)
    state.write_text("good\n")
    with master(tmp_path / "master.sock", answer.encode()) as path:
        monkeypatch.setattr("sys.argv", ["haproxy_handover.py", "save", path, str(config), str(state)])
        assert helper.main() == 1
    assert state.read_text() == "good\n"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["haproxy.cfg", "master.sock", "server-state"]
    assert "haproxy_handover save: " in capsys.readouterr().err


def test_a_good_answer_replaces_the_file(helper: ModuleType, tmp_path: Path) -> None:
    config, state = tmp_path / "haproxy.cfg", tmp_path / "server-state"
    config.write_text(CONFIG)
    state.write_text("old\n")
    with master(tmp_path / "master.sock", (FIXTURES / "3.0/drain_show_servers_state.txt").read_bytes()) as path:
        helper.save(path, str(config), str(state))
    assert state.read_text().startswith("1\n# be_id ")
    assert " gpu1 127.0.0.1 2 8 1 1 " in state.read_text()


def test_no_haproxy_is_said(helper: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "haproxy.cfg").write_text(CONFIG)
    with pytest.raises(OSError, match="No such file"):
        helper.save(str(tmp_path / "none.sock"), str(tmp_path / "haproxy.cfg"), str(tmp_path / "server-state"))


@pytest.mark.parametrize("version", ["2.6", "3.0"])
@pytest.mark.parametrize(
    ("recorded", "counted"),
    [("show_proc", (0, 0)), ("reloaded_show_proc", (1, 0)), ("reload_failed_show_proc", (3, 1))],
)
def test_reloads_are_counted(
    helper: ModuleType, version: str, recorded: str, counted: tuple[int, int], tmp_path: Path
) -> None:
    with master(tmp_path / "master.sock", (FIXTURES / version / f"{recorded}.txt").read_bytes()) as path:
        assert helper.reloads(path) == counted

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dialogue itself, with a master socket that a thread plays, for what a real HAProxy does only now and then."""

from __future__ import annotations

import socket
import threading

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import DeadlineExceeded, Refused, Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.haproxy.admin import Wanted
from ansible_collections.steadfast.ai_platform.plugins.module_utils.haproxy.client import MasterSocket
from ansible_collections.steadfast.ai_platform.plugins.module_utils.haproxy.control import Balancer

STAT = (
    "# pxname,svname,qcur,scur,stot,econ,eresp,status,lastchg,chkdown,check_status,check_health,check_rise,check_fall,"
    "hrsp_5xx,type,\n"
)
STATE = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_port\n"


class FakeHAProxy:
    """A test double of HAProxy's master process: workers with one pool, over a real unix socket."""

    def __init__(self, path, workers=(20,)):
        self.path = str(path)
        self.admin = {pid: {"gpu1": 0, "gpu2": 0} for pid in workers}
        self.sessions = {(pid, "gpu1"): 0 for pid in workers}
        self.old = set()
        self.lua = True
        self.silent = False
        self.asked = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(self.path)
        self._server.listen(8)
        threading.Thread(target=self._serve, daemon=True).start()

    def reload(self, pid):
        """A new worker; the old one stays, and the new one knows of no drain."""
        self.old |= set(self.admin)
        self.admin[pid] = {"gpu1": 0, "gpu2": 0}

    def _serve(self):
        while True:
            connection, _address = self._server.accept()
            with connection:
                line = b""
                while not line.endswith(b"\n"):
                    line += connection.recv(65536)
                if self.silent:
                    connection.recv(1)
                    threading.Event().wait(3)
                    continue
                try:
                    connection.sendall("".join(map(self._answer, line.decode().strip().split("; "))).encode())
                except OSError:
                    pass

    def _answer(self, command):
        self.asked.append(command)
        if command == "show proc":
            current = [pid for pid in self.admin if pid not in self.old]
            lines = [
                "#<PID> <type>",
                "1 master 0",
                "# workers",
                *(f"{pid} worker 0" for pid in current),
                "# old workers",
            ]
            return "\n".join([*lines, *(f"{pid} worker 1" for pid in self.old if pid in self.admin), ""])
        target, _space, words = command.partition(" ")
        pid = int(target.removeprefix("@!"))
        if pid not in self.admin:
            return f"Can't find the target PID matching the prefix '{target}'"
        if words.startswith("show stat"):
            return STAT + "".join(
                f"serving,{name},0,{self.sessions.get((pid, name), 0)},9,0,0,UP,9,0,L7OK,4,2,3,0,2,\n"
                for name in self.admin[pid]
            )
        if words == "show servers state":
            return STATE + "".join(
                f"3 serving 1 {n} 192.0.2.1 2 {bits} 100 100 8000\n" for n, bits in self.admin[pid].items()
            )
        return self._order(pid, words.split())

    def _order(self, pid, words):
        bits = {"ready": 0, "maint": 1, "drain": 8}
        if words[0] == "steadfast" and self.lua:
            self.admin[pid][words[3]] = bits[words[1]]
            return "\n"
        if words[:2] != ["set", "server"]:
            return "Unknown command: 'steadfast'\n"
        if pid in self.old:
            return "Proxy is disabled.\n\n"
        name = words[2].split("/")[1]
        if words[3] == "state":
            self.admin[pid][name] = bits[words[4]]
        return "\n"


@pytest.fixture
def haproxy(tmp_path):
    return FakeHAProxy(tmp_path / "master.sock")


def balancer(haproxy, tmp_path, timeout=0.5):
    return Balancer(MasterSocket(haproxy.path, timeout), str(tmp_path / "state"), interval=0.01)


DRAIN = Wanted("serving", ("gpu1",), "drain")


def test_apply_is_idempotent_and_saves_the_state(haproxy, tmp_path):
    lb = balancer(haproxy, tmp_path)
    changed, views = lb.apply(DRAIN)
    assert changed
    assert [view[("serving", "gpu1")].admin_state for view in views.values()] == ["drain"]
    assert lb.apply(DRAIN)[0] is False
    assert "gpu1 192.0.2.1 2 8" in (tmp_path / "state").read_text()


def test_drain_reaches_an_old_worker_and_waits_for_its_sessions(haproxy, tmp_path):
    haproxy.reload(30)
    haproxy.sessions[(20, "gpu1")] = 2
    sample, seconds = balancer(haproxy, tmp_path).wait_drained(DRAIN, deadline=0.3)
    assert (sample.open, sample.workers) == (2, (20, 30))
    assert seconds >= 0.3
    assert haproxy.admin[20]["gpu1"] == 8
    haproxy.sessions.clear()
    assert balancer(haproxy, tmp_path).wait_drained(DRAIN, deadline=5)[0].open == 0


def test_a_reload_that_forgets_the_drain_gets_it_again(haproxy, tmp_path):
    lb = balancer(haproxy, tmp_path)
    lb.apply(DRAIN)
    haproxy.reload(30)
    assert lb.wait_drained(DRAIN, deadline=5)[0].open == 0
    assert haproxy.admin[30]["gpu1"] == 8


def test_an_old_worker_that_cannot_be_told_is_waited_out(haproxy, tmp_path):
    haproxy.lua = False
    haproxy.reload(30)
    assert not balancer(haproxy, tmp_path).wait_drained(DRAIN, deadline=0.3)[0].refusing
    threading.Timer(0.3, haproxy.admin.pop, [20]).start()
    assert balancer(haproxy, tmp_path).wait_drained(DRAIN, deadline=5)[0].workers == (30,)


def test_a_socket_that_does_not_answer_is_an_error_in_time(haproxy, tmp_path):
    haproxy.silent = True
    with pytest.raises(Unreadable, match="did not answer"):
        balancer(haproxy, tmp_path).wait_drained(DRAIN, deadline=0.1)


def test_no_socket_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(Unreadable, match="Is haproxy running, with -S"):
        MasterSocket(str(tmp_path / "absent"), 0.2).workers()


def test_the_capacity_floor_refuses_and_changes_nothing(haproxy, tmp_path):
    with pytest.raises(Refused, match=r"would leave 1 healthy \(gpu2\), below min_available 2"):
        balancer(haproxy, tmp_path).wait_capacity(DRAIN, floor=2, deadline=0.05)
    assert haproxy.admin[20] == {"gpu1": 0, "gpu2": 0}


def test_not_healthy_in_time_names_the_server(haproxy, tmp_path):
    lb = balancer(haproxy, tmp_path)
    lb.apply(Wanted("serving", ("gpu1",), "maint"))
    with pytest.raises(DeadlineExceeded, match="gpu1 is UP"):
        lb.wait_healthy(Wanted("serving", ("gpu1",), "maint"), deadline=0.05)


def test_a_thousand_servers_need_few_dialogues(haproxy, tmp_path):
    names = tuple(f"gpu{n}" for n in range(1000))
    haproxy.admin[20] = dict.fromkeys(names, 0)
    lb = balancer(haproxy, tmp_path, timeout=20)
    lb.apply(Wanted("serving", names, "drain"))
    assert set(haproxy.admin[20].values()) == {8}
    # The order, and the reading before and after it.
    assert len([line for line in haproxy.asked if "show stat" in line]) == 2

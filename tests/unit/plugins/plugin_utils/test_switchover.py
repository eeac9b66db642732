# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual IP moves, and after a rehearsal it is where it was, whatever went wrong."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Refused
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils import switchover
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils.switchover import Switchover

HOSTVARS: dict = {"lb1": {}, "lb2": {}}


class Pair:
    """Two balancers and the host that asks."""

    def __init__(self):
        self.holder = "lb1"
        self.stuck = False
        self.deaf = False
        self.handovers = []

    def everywhere(self, hosts, module, arguments):
        return self.run(dict.fromkeys(hosts, (module, arguments)))

    def run(self, calls):
        return {
            host: getattr(self, module.split(".")[-1])(host, arguments) for host, (module, arguments) in calls.items()
        }

    def vip_info(self, host, _arguments):
        state = "MASTER" if host == self.holder else "BACKUP"
        return {
            "holder": host == self.holder,
            "vrrp": {"state": state},
            "let_go": [],
            "config": "c",
            "served_config": "c",
        }

    def haproxy_info(self, _host, _arguments):
        return {"tables": {}, "backends": {"serving": {"gpu1": {"up": True, "state": "ready"}}}}

    def vip_handover(self, host, arguments):
        self.handovers.append((host, arguments["reason"]))
        if not self.stuck:
            self.holder = "lb2" if host == "lb1" else "lb1"
        return {"changed": True}

    def vip_probe(self, _host, arguments):
        assert (arguments["port"], arguments["path"], arguments["tls"]) == (8080, "/health", False)
        return {
            "requests": 10,
            "unanswered": 10 if self.deaf else 0,
            "unconnected": 0,
            "problems": {"HTTP 503": 10} if self.deaf else {},
            "gap": 0.05,
        }


@pytest.fixture
def pair(monkeypatch):
    for name in ("BEFORE", "AFTER", "STAND_BACK", "RETURN"):
        monkeypatch.setattr(switchover, name, 0.05)
    return Pair()


def made(pair, rounds=0):
    given = {
        "balancers": ["lb1", "lb2"],
        "address": "192.0.2.100",
        "port": 8080,
        "path": "/health",
        "tls": False,
        "asked_from": "witness1",
        "rounds": rounds,
        "rate": 50,
        "reason": "new fan",
    }
    said = []
    return Switchover(pair, HOSTVARS, given, said.append), said


def test_it_moves_once_and_stays(pair):
    found, said = made(pair)
    result = found.run(found.decision(""))
    assert pair.holder == "lb2"
    assert pair.handovers == [("lb1", "new fan")]
    assert result["moves"] == [
        {
            "source": "lb1",
            "target": "lb2",
            "requests": 10,
            "unanswered": 0,
            "unconnected": 0,
            "problems": {},
            "gap": 0.05,
        }
    ]
    assert said == ["lb1 -> lb2: longest gap 0.05 s, 10 requests, 0 without an answer, 0 of them without a connection"]


def test_what_was_wrong_is_told_with_the_move():
    move = {"source": "lb1", "target": "lb2", "requests": 9, "unanswered": 3, "unconnected": 2, "gap": 0.05}
    told = switchover.line({**move, "problems": {"not connected: TimeoutError": 2, "HTTP 503": 1}})
    assert told.endswith("2 of them without a connection (2 times not connected: TimeoutError; 1 times HTTP 503)")


def test_a_rehearsal_ends_where_it_began(pair):
    found, _said = made(pair, rounds=3)
    assert len(found.run(found.decision(""))["moves"]) == 6
    assert pair.holder == "lb1"


def test_an_address_that_is_not_answered_is_not_moved(pair):
    pair.deaf = True
    found, _said = made(pair)
    with pytest.raises(Refused, match=r"gets no answer through 192.0.2.100:8080 .HTTP 503.. Nothing was changed"):
        found.run(found.decision(""))
    assert pair.handovers == []


def test_a_standby_that_does_not_take_over_is_told(pair):
    pair.stuck = True
    found, _said = made(pair)
    with pytest.raises(PlatformError, match=r"lb2 did not take 192.0.2.100 over within .* held by lb1. lb1 stands by"):
        found.run(found.decision(""))


def test_a_rehearsal_that_fails_puts_it_back(pair):
    found, _said = made(pair, rounds=1)
    decision = found.decision("")
    answers = iter([False, True, False])
    ask = pair.vip_probe

    def probe(host, arguments):
        pair.deaf = next(answers)
        return ask(host, arguments)

    pair.vip_probe = probe
    with pytest.raises(PlatformError, match=r"nothing is answered through .*lb1 holds the virtual IP again"):
        found.run(decision)
    assert pair.holder == "lb1"


def test_a_balancer_that_is_silent_is_trouble_and_no_zero(pair):
    pair.haproxy_info = lambda host, _arguments: (
        {"unreachable": True, "msg": "gone"} if host == "lb2" else Pair.haproxy_info(pair, host, {})
    )
    found, _said = made(pair)
    assert "lb2 cannot be read (unreachable (gone))" in found.decision("").text

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What balancers and nodes are asked, and what their silence means."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.policy import settle
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils.crew import Crew

AWAY = {"unreachable": True, "msg": "no route"}
BROKEN = {"failed": True, "msg": "MODULE FAILURE", "module_stderr": "container is\nnot running"}
NO = {"failed": True, "msg": "below min_available 2"}
HOSTVARS = {
    "lb1": {"load_balancer_master_socket": "/run/m.sock", "load_balancer_state_file": "/var/state"},
    "lb2": {},
    "gpu1": {
        "model_server_port": "8001",
        "model_server_root": "/srv/m",
        "model_server_api_key": "secret",
        "model_server_probe_timeout": 7,
        "model_server_releases": {"r2": {"model": "tiny"}},
    },
    "gpu2": {"model_server_port": 8002, "model_server_releases": {"r2": {"model": "tiny"}}},
}


class Fleet:
    """Notes what hosts are asked; they answer what was prepared."""

    def __init__(self, **answers):
        self.answers, self.calls = answers, []

    def run(self, calls):
        self.calls.append({host: (module.split(".")[-1], arguments) for host, (module, arguments) in calls.items()})
        return {host: dict(self.answers.get(host, {"changed": True})) for host in calls}

    def series(self, calls):
        return {host: [result] for host, result in self.run({host: asked[0] for host, asked in calls.items()}).items()}


def crew(absent=(), **answers):
    run = {
        "pool": "serving",
        "balancers": ["lb2", "lb1"],
        "policy": settle({"drain_deadline": 90, "capacity_deadline": 5}, 3).to_dict(),
        "absent": list(absent),
    }
    return Crew(Fleet(**answers), run, HOSTVARS)


def test_views_are_those_of_the_pool():
    seen = {"backends": {"serving": {"gpu1": {"state": "ready"}}, "other": {}}}
    found = crew(lb1=seen, lb2={"backends": {}})
    assert found.views() == {"lb2": {}, "lb1": {"gpu1": {"state": "ready"}}}
    assert found.fleet.calls == [
        {
            "lb2": ("haproxy_info", {"backend": "serving"}),
            "lb1": ("haproxy_info", {"socket": "/run/m.sock", "backend": "serving"}),
        }
    ]


def test_a_silent_balancer_is_said_with_what_to_do():
    found = crew(lb1=AWAY, lb2={"backends": {"serving": {}}})
    with pytest.raises(
        Unreadable, match=r"lb1 cannot be read \(unreachable \(no route\)\).*To go on.*balancers_excluded"
    ):
        found.views()
    assert found.look()["lb1"] == "unreachable (no route)"


def test_draining_asks_for_the_floor_and_parking_waits():
    found = crew(lb1={"open_requests": 2, "seconds_to_drain": 1.5}, lb2={"open_requests": None})
    found.drain(["lb2"], ["gpu1"], 2)
    assert found.fleet.calls[0] == {
        "lb2": (
            "haproxy_server",
            {
                "backend": "serving",
                "servers": ["gpu1"],
                "state": "drain",
                "min_available": 2,
                "capacity_deadline": 5,
            },
        )
    }
    assert found.park(["gpu1"], "continue") == (2, 1.5)
    asked = found.fleet.calls[1]["lb1"][1]
    assert asked["state_file"] == "/var/state"
    assert {key: asked[key] for key in ("state", "wait", "deadline", "on_deadline", "min_available")} == {
        "state": "maint",
        "wait": "drained",
        "deadline": 90,
        "on_deadline": "continue",
        "min_available": 0,
    }


def test_with_one_balancer_there_is_no_standby_to_drain_first():
    found = crew()
    found.drain([], ["gpu1"], 0)
    assert found.fleet.calls == [{}]


def test_a_refusal_is_raised_with_every_hosts_reason():
    with pytest.raises(PlatformError, match="lb1: below min_available 2") as caught:
        crew(lb1=NO, lb2=AWAY).park(["gpu1"], "fail")
    assert caught.value.evidence["hosts"] == {"lb1": "below min_available 2", "lb2": "unreachable (no route)"}


@pytest.mark.parametrize("silence", [AWAY, BROKEN])
def test_a_balancer_that_falls_silent_in_the_middle_is_gone_on_without(silence):
    found = crew(lb1=silence)
    found.park(["gpu1"], "fail")
    assert (found.absent, found.present()) == (["lb1"], ["lb2"])
    found.park(["gpu1"], "fail")
    assert list(found.fleet.calls[-1]) == ["lb2"]
    assert list(found.look_calls()) == ["lb2"]


@pytest.mark.parametrize("answers", [{"lb1": AWAY, "lb2": AWAY}, {"lb1": AWAY, "lb2": BROKEN}])
def test_when_all_are_silent_there_is_nothing_to_go_on_with(answers):
    found = crew(**answers)
    with pytest.raises(PlatformError, match="lb1: unreachable"):
        found.park(["gpu1"], "fail")
    assert found.absent == []


def test_admitting_sets_each_weight_at_its_balancer():
    found = crew()
    found.admit({"lb1": {"gpu1": 50, "gpu2": 100}, "lb2": {"gpu1": 50, "gpu2": 50}})
    asked = [
        {host: (call[1]["servers"], call[1]["weight"]) for host, call in calls.items()} for calls in found.fleet.calls
    ]
    assert asked == [{"lb1": (["gpu1"], 50), "lb2": (["gpu1", "gpu2"], 50)}, {"lb1": (["gpu2"], 100)}]
    assert {call[1]["wait"] for calls in found.fleet.calls for call in calls.values()} == {"healthy"}


def test_who_is_absent_is_not_admitted_at():
    found = crew(absent=["lb1"])
    found.admit({"lb1": {"gpu1": 50}, "lb2": {"gpu1": 50}})
    assert [list(calls) for calls in found.fleet.calls] == [["lb2"]]


def test_isolating_asks_everybody_and_tells_who_did_not_hear():
    found = crew(lb2=AWAY, absent=["lb2"])
    assert found.isolate(["gpu1"]) == {"lb2": "unreachable (no route)"}
    assert list(found.fleet.calls[0]) == ["lb2", "lb1"]


def test_parked_nodes_are_checked_again_while_they_change():
    found = crew(absent=["lb1"], lb2=AWAY)
    assert list(found.activate({"gpu1": "r2"})) == ["gpu1"]
    module, asked = found.fleet.calls[0]["lb2"]
    assert (module, asked["servers"], asked["state"]) == ("haproxy_server", ["gpu1"], "drain")
    assert found.absent == ["lb1"]


def test_nodes_are_asked_with_their_roles_settings():
    found = crew(gpu2={"failed": True, "msg": "no"})
    assert found.activate({"gpu1": "r2", "gpu2": "r1"}, parked=False)["gpu2"]["failed"]
    assert found.fleet.calls[0] == {
        "gpu1": (
            "model_release",
            {
                "pool": "serving",
                "unit": "model-server-serving.service",
                "root": "/srv/m",
                "name": "r2",
                "state": "active",
                "port": 8001,
                "timeout": 7,
                "api_key": "secret",
            },
        ),
        "gpu2": (
            "model_release",
            {
                "pool": "serving",
                "unit": "model-server-serving.service",
                "name": "r1",
                "state": "active",
                "port": 8002,
            },
        ),
    }
    assert found.pulse_calls(["gpu2"])["gpu2"][1] == {
        "pool": "serving",
        "unit": "model-server-serving.service",
        "port": 8002,
    }
    found.probe(["gpu1"], "r2", count=3)
    module, asked = found.fleet.calls[-1]["gpu1"]
    assert (module, asked["url"], asked["model"], asked["count"]) == ("model_probe", "http://127.0.0.1:8001", "tiny", 3)

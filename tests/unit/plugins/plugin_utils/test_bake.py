# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bake from admission to verdict, in a pool that is played; its time passes only when it sleeps."""

from __future__ import annotations

import json

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.policy import settle
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils.bake import Bake, verdict_dicts
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils.crew import Crew

from tests.unit.plugins.plugin_utils.rollout_world import AWAY, Clock, World


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.fixture
def world(tmp_path, clock):
    """gpu1 was changed; gpu2 and gpu3 are still on the release from before."""
    found = World(tmp_path)
    found.active["gpu1"] = "r2"
    return found


@pytest.fixture
def told():
    return []


def bake(world, told, batch=("gpu1",), spent=None, **policy):
    run = {
        "pool": "serving",
        "balancers": ["lb2", "lb1"],
        "policy": settle({"min_requests": 100, "bake_time": 20, "max_bake_time": 40, **policy}, 3).to_dict(),
        "plan": {"batches": [["gpu1"], ["gpu2"], ["gpu3"]]},
        "absent": [],
        "spent": spent or {},
    }
    crew = Crew(world, run, world.hostvars())
    return Bake(crew, run, list(batch), "r2", lambda event, **data: told.append((event, data)))


def watch(baking, ramp=(), check=lambda: None):
    policy = baking.policy
    return baking.watch(list(ramp), policy["bake_time"], policy["max_bake_time"], check)


def verdict_of(verdicts, gate):
    return next(verdict for verdict in verdicts if verdict.gate == gate)


def test_a_good_release_passes_when_its_time_is_over(world, told, clock):
    began = clock.at
    worst, verdicts = watch(bake(world, told))
    assert worst.verdict == "pass"
    assert clock.at - began >= 20
    assert {"local", "balancer", "errors", "latency", "budget", "progress", "gpu"} == {v.gate for v in verdicts}
    assert all(set(row) >= {"verdict", "reason"} for row in verdict_dicts(verdicts))
    waiting = [data for event, data in told if event == "waiting"]
    assert waiting[0]["left_s"] == 20
    assert waiting[0]["gate"] == "bake"
    traffic = [data["servers"] for event, data in told if event == "traffic"][-1]
    assert set(traffic) == {"gpu1", "gpu2", "gpu3"}
    assert (traffic["gpu1"]["release"], traffic["gpu2"]["release"], traffic["gpu1"]["status"]) == ("r2", None, "UP")


def test_the_last_look_is_part_of_the_bake_however_long_looks_take(world, told, clock):
    looked, began = [], clock.at
    read = world.haproxy_info

    def slowly(host, **arguments):
        clock.sleep(0.4)
        looked.append(clock.at - began)
        return read(host, **arguments)

    world.haproxy_info = slowly
    worst, _verdicts = watch(bake(world, told))
    assert worst.verdict == "pass"
    assert clock.at - began == pytest.approx(20)
    assert 19 <= looked[-1] <= 20


def test_errors_end_it_at_once_with_the_numbers(world, told, clock):
    world.bad.add("r2")
    began = clock.at
    worst, _verdicts = watch(bake(world, told))
    assert worst.verdict == "fail"
    assert "requests failed at the new servers" in worst.reason
    assert clock.at - began < 20


def test_too_little_traffic_is_waited_for_and_then_no_verdict(world, told, clock):
    began = clock.at
    worst, _verdicts = watch(bake(world, told, min_requests=100000))
    assert worst.verdict == "inconclusive"
    assert 40 <= clock.at - began < 60


def test_where_users_send_too_little_it_asks_itself(world, told):
    for view in world.servers.values():
        view["gpu1"]["state"] = "ready"
    world.haproxy_info = lambda host, backend, **_more: {
        "backends": {backend: {name: world.view(server) for name, server in world.servers[host].items()}}
    }
    worst, verdicts = watch(bake(world, told, synthetic_requests=30))
    assert worst.verdict == "pass"
    assert "too little traffic of users" in verdict_of(verdicts, "latency").reason


def test_synthetic_errors_count_and_an_unanswered_probe_is_one(world, told):
    world.haproxy_info = lambda host, backend, **_more: {
        "backends": {backend: {name: world.view(server) for name, server in world.servers[host].items()}}
    }
    world.wrong[("gpu1", "model_probe")] = {"failed": True, "msg": "no completion"}
    baking = bake(world, told, synthetic_requests=5, error_budget_min=1, max_error_percent=0.1)
    worst, _verdicts = watch(baking)
    assert worst.verdict == "fail"
    assert baking.asked["errors"] == baking.asked["requests"] > 1


@pytest.mark.parametrize(
    ("result", "verdict", "reason"),
    [
        ({"active": "r2", "running": False, "restarts": 0}, "fail", "the engine of gpu1 does not run"),
        ({"active": "r1", "running": True, "restarts": 0}, "fail", "gpu1 is on r1, not on r2"),
        (AWAY, "inconclusive", "gpu1 cannot be looked at: unreachable"),
        ({"failed": True, "msg": "systemctl is missing"}, "inconclusive", "systemctl is missing"),
    ],
)
def test_the_node_itself_is_looked_at(world, told, result, verdict, reason):
    world.wrong[("gpu1", "model_release_info")] = result
    worst, verdicts = watch(bake(world, told))
    assert worst.verdict == verdict
    assert reason in verdict_of(verdicts, "local").reason


def test_an_engine_that_was_started_anew_has_failed(world, told):
    restarts = iter([0, 0, 1, 1, 1])
    world.wrong[("gpu1", "model_release_info")] = lambda _arguments: {
        "active": "r2", "running": True, "restarts": next(restarts)
    }  # fmt: skip
    worst, _verdicts = watch(bake(world, told))
    assert worst.verdict == "fail"
    assert "died and was started anew" in worst.reason


def test_an_engine_that_works_on_nothing_and_gets_nowhere_has_stalled(world, told):
    world.wrong[("gpu1", "model_release_info")] = {
        "active": "r2", "running": True, "restarts": 0, "load": {"running": 3, "progress": 500}
    }  # fmt: skip
    worst, verdicts = watch(bake(world, told, bake_time=60, max_bake_time=60, stall_seconds=10))
    assert (worst.verdict, verdict_of(verdicts, "progress").verdict) == ("fail", "fail")


@pytest.mark.parametrize("result", [AWAY, {"failed": True, "msg": "socket"}])
def test_a_balancer_that_cannot_be_read_is_no_pass(world, told, result):
    world.wrong[("lb1", "haproxy_info")] = result
    assert watch(bake(world, told))[0].verdict == "inconclusive"


def test_counters_that_cannot_be_understood_are_no_pass(world, told):
    broken = {"backends": {"serving": {"gpu1": {"state": "ready", "up": True, "status": "UP", "counters": None}}}}
    world.wrong[("lb1", "haproxy_info")] = broken
    worst, _verdicts = watch(bake(world, told))
    assert worst.verdict == "inconclusive"
    assert "counters cannot be understood" in worst.reason


def test_down_at_one_balancer_fails(world, told):
    world.servers["lb2"]["gpu1"]["state"] = "maint"
    assert watch(bake(world, told))[0].verdict == "fail"


def test_the_ramp_is_spread_over_the_bake_and_always_finished(world, told, clock):
    at, began = [], clock.at
    worst, _verdicts = watch(bake(world, told, bake_time=30), [lambda: at.append(clock.at)] * 2)
    assert worst.verdict == "pass"
    assert [round(moment - began) // 5 * 5 for moment in at] == [10, 20]


def test_a_controller_that_lost_the_pool_stops(world, told):
    def check():
        raise Refused("held by bob")

    with pytest.raises(Refused, match="held by bob"):
        watch(bake(world, told), check=check)


def test_one_budget_for_the_whole_rollout(world, told):
    baking = bake(world, told, spent={"requests": 1000, "errors": 400}, error_budget_min=10)
    assert "the rollout's budget" in watch(baking)[0].reason
    good = bake(world, told, spent={"requests": 1000, "errors": 2})
    watch(good)
    assert good.spent()["requests"] > 1000
    assert good.spent()["errors"] == 2


def test_peers_are_those_still_on_the_release_from_before(world, told):
    baking = bake(world, told, batch=["gpu2"])
    baking.look()
    assert baking._peers() == ["gpu3"]
    last = bake(world, told, batch=["gpu3"])
    last.look()
    assert last._peers() == ["gpu1", "gpu2"]


# --- Others that are asked ------------------------------------------------------------------------------------------

QUERY = {"name": "queue", "query": "sum(queue)", "max": 5}


def vector(clock, value):
    point = {"metric": {}, "value": [1.7e9 + clock.at, str(value)]}
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": [point]}})


@pytest.mark.parametrize(
    ("content", "verdict"),
    [(3, "pass"), (9, "fail"), ("no json", "inconclusive"), (None, "inconclusive")],
)
def test_prometheus_is_asked_at_the_end(world, told, clock, content, verdict):
    asked = []

    def reply(arguments):
        asked.append(arguments["url"])
        if content is None:
            return {"failed": True, "msg": "refused"}
        return {"content": vector(clock, content) if isinstance(content, int) else content}

    world.wrong[("localhost", "ansible.builtin.uri")] = reply
    baking = bake(world, told, prometheus_url="http://prom:9090/", prometheus_queries=[QUERY])
    worst, _verdicts = watch(baking)
    assert worst.verdict == verdict
    assert asked[0] == "http://prom:9090/api/v1/query?query=sum%28queue%29"


def test_a_critical_alert_fails(world, told):
    alert = {"state": "firing", "labels": {"severity": "critical", "pool": "serving", "alertname": "GPUDead"}}
    content = json.dumps({"status": "success", "data": {"alerts": [alert]}})
    world.wrong[("localhost", "ansible.builtin.uri")] = {"content": content}
    worst, _verdicts = watch(bake(world, told, prometheus_alerts_pool="serving"))
    assert "GPUDead" in worst.reason


@pytest.mark.parametrize(
    ("gate", "module", "result", "verdict"),
    [
        ({"name": "smoke", "command": "/bin/check x"}, "ansible.builtin.command", {"rc": 0}, "pass"),
        ({"name": "smoke", "command": "/bin/check x"}, "ansible.builtin.command", {"rc": 3, "failed": True}, "fail"),
        ({"name": "smoke", "url": "http://ci/ok"}, "ansible.builtin.uri", {"status": 200}, "pass"),
        ({"name": "smoke", "url": "http://ci/ok"}, "ansible.builtin.uri", {"status": 503, "failed": True}, "fail"),
        ({"name": "smoke", "url": "http://ci/ok"}, "ansible.builtin.uri", AWAY, "inconclusive"),
    ],
)
def test_the_operators_own_checks(world, told, gate, module, result, verdict):
    world.wrong[("localhost", module)] = result
    assert watch(bake(world, told, custom_gates=[gate]))[0].verdict == verdict

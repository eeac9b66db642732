# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was registered on hosts, as plan and status read it."""

from __future__ import annotations

from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.found import (
    found_balancers,
    found_nodes,
    status_table,
)

SERVER = {"state": "ready", "up": True, "status": "UP", "sessions": 3}
HOSTVARS = {
    "gpu1": {"model_server_pool": "serving", "platform_node": {"active": "r1", "running": True}},
    "gpu2": {"model_server_pool": "serving", "platform_node": {"unreachable": True, "msg": "no route"}},
    "gpu3": {"model_server_pool": "serving", "platform_node": {"failed": True, "msg": "systemctl is missing"}},
    "gpu4": {"model_server_pool": "serving"},
    "gpu5": {"platform_node": {"msg": "No start of json char found", "module_stderr": "container is not running\n"}},
    "lb1": {"platform_balancer": {"backends": {"serving": {"gpu1": SERVER}}}, "platform_vip": {"holder": True}},
    "lb2": {"platform_balancer": {"msg": "HAProxy's master socket did not answer"}},
    "lb3": {"platform_balancer": {"backends": {"other": {}}}},
}


def test_nodes_say_what_is_wrong_with_them():
    found = found_nodes(["gpu1", "gpu2", "gpu3", "gpu4", "gpu5"], HOSTVARS)
    assert found[0] == {"name": "gpu1", "release": "r1", "problem": ""}
    assert [node["problem"] for node in found[1:]] == [
        "unreachable (no route)",
        "systemctl is missing",
        "was not looked at",
        "container is not running",
    ]


def test_balancers_say_what_is_wrong_with_them():
    found = found_balancers(["lb1", "lb2", "lb3"], HOSTVARS, "serving")
    assert found[0] == {"name": "lb1", "holder": True, "servers": {"gpu1": SERVER}, "problem": ""}
    assert [view["problem"] for view in found[1:]] == [
        "HAProxy's master socket did not answer",
        "has no pool serving: run site.yml",
    ]


def test_status_table_marks_the_holder_and_every_trouble():
    table = status_table({"nodes": ["gpu1", "gpu2"], "balancers": ["lb1", "lb2"]}, HOSTVARS).splitlines()
    assert table[0].split("  ")[0] == "server"
    assert "lb1 (virtual IP)" in table[0]
    assert "ready UP, 3 running" in table[1]
    assert "did not answer" in table[1]
    assert "unreachable" in table[2]
    assert "not in pool" in table[2]

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was registered on hosts, as plan and status read it."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.found import (
    found_balancers,
    found_ledgers,
    found_nodes,
    identities,
    status_table,
)

SERVER = {"state": "ready", "up": True, "status": "UP", "sessions": 3}
RELEASES = {
    "r1": {"model": "tiny", "artifact": {"name": "tiny.gguf", "sha256": "0123456789abcdef"}},
    "r2": {"model": "tiny", "artifact": {"name": "tiny.gguf", "sha256": "fedcba9876543210"}},
}
HOSTVARS = {
    "gpu1": {
        "model_server_pool": "serving",
        "platform_node": {"active": "r1", "running": True},
        "model_server_releases": RELEASES,
        "rack": "a",
    },
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
    assert found[0] == {
        "name": "gpu1",
        "release": "r1",
        "problem": "",
        "domain": "",
        "identities": {"r1": "tiny@r1-0123456789ab", "r2": "tiny@r2-fedcba987654"},
    }
    assert [node["problem"] for node in found[1:]] == [
        "unreachable (no route)",
        "systemctl is missing",
        "was not looked at",
        "container is not running",
    ]


def test_what_fails_together_is_a_variable_and_a_node_without_it_fails_alone():
    found = found_nodes(["gpu1", "gpu2"], HOSTVARS, domain_key="rack")
    assert [node["domain"] for node in found] == ["a", "gpu2"]


@pytest.mark.parametrize("releases", [None, [], "r1", {"r1": None}, {"r1": {"model": "tiny"}}, {"r1": {"artifact": 3}}])
def test_a_release_without_an_artifact_has_no_identity(releases):
    assert identities(releases) == {}


LEDGER = {"lease": {"fence": 1}, "journal": ["a line"], "torn": False}


@pytest.mark.parametrize(
    ("registered", "found"),
    [
        (dict(LEDGER, changed=False, invocation={}), LEDGER),
        ({"results": [dict(LEDGER, item="other", torn=True), dict(LEDGER, item="serving")]}, LEDGER),
        ({"results": [dict(LEDGER, item="other")]}, {"failed": True, "msg": "gave no answer"}),
        ({"results": [{"item": "serving", "failed": True, "msg": "damaged"}]}, {"failed": True, "msg": "damaged"}),
        ({"unreachable": True, "msg": "no route"}, {"failed": True, "msg": "unreachable (no route)"}),
        (None, {"failed": True, "msg": "was not looked at"}),
    ],
)
def test_ledgers_are_those_of_the_pool(registered, found):
    assert found_ledgers(["lb1"], {"lb1": {"platform_ledger": registered}}, "serving") == {"lb1": found}


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

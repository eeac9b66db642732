# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot work is refused in words, before anything is changed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.pair import Pair

from .conftest import converge

SERVERS = {"gpu1": "192.0.2.1"}
POOL = {"name": "serving", "port": 8080, "server_port": 8000, "servers": SERVERS}
VIRTUAL_IP = {"address": "192.0.2.100", "prefix": 24, "interface": "eth0", "router_id": 51}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"load_balancer_pools": []}, "at least one pool"),
        ({"load_balancer_pools": [{**POOL, "servers": {}}]}, "at least one server"),
        ({"load_balancer_pools": [POOL, {**POOL, "port": 8081}]}, "a name of its own"),
        ({"load_balancer_pools": [POOL, {**POOL, "name": "other"}]}, "used once"),
        ({"load_balancer_pools": [{**POOL, "port": 8404}]}, "used once"),
        ({"load_balancer_pools": [{**POOL, "servers": {"gpu1": "gpu1.example"}}]}, "numeric"),
        ({"load_balancer_pools": [{**POOL, "tls": True}], "load_balancer_tls_certificate": ""}, "exactly one of"),
        ({"load_balancer_stats_password_hash": ""}, "load_balancer_stats_password_hash"),
        ({"load_balancer_peers": {"lb1": "192.0.2.1", "lb2": "192.0.2.2"}}, "an address"),
        ({"load_balancer_virtual_ip": {**VIRTUAL_IP, "interface": "eth7"}}, "no interface 'eth7'"),
        ({"load_balancer_virtual_ip": {**VIRTUAL_IP, "advert_interval": 41}}, "0.01 to 40.95"),
        ({"load_balancer_virtual_ip": {**VIRTUAL_IP, "router_id": 0}}, "router_id"),
        ({"load_balancer_virtual_ip": {**VIRTUAL_IP, "address": "{{ platform_address }}"}}, "cannot be virtual IPs"),
        ({"load_balancer_virtual_ip": {"address": "192.0.2.100"}}, "needs address, prefix, interface and router_id"),
        (
            {"load_balancer_second_virtual_ip": {"address": "192.0.2.101", "router_id": 51}},
            "another one for the second",
        ),
        ({"load_balancer_arbiters": {"lb1": "192.0.2.1", "lb2": "192.0.2.2"}}, "three hosts or more"),
        ({"load_balancer_pools": [{**POOL, "overflow": {"pool": "nowhere"}}]}, "Named in overflow: nowhere"),
        ({"load_balancer_pools": [POOL, {"name": "idle", "server_port": 1, "servers": SERVERS}]}, "needs a port, or"),
    ],
)
def test_refused(pair: Pair, variables: dict[str, Any], said: str) -> None:
    done = converge(pair, "--limit", "lb1", **variables)
    text = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert said in text
    assert "Nothing was changed." in text
    assert "changed=0" in text

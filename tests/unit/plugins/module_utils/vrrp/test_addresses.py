# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's address list."""

from __future__ import annotations

import json

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused, Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.vrrp.addresses import interface_of

LISTING = json.dumps(
    [
        {"ifname": "lo", "addr_info": [{"local": "127.0.0.1"}]},
        {"ifname": "eth0", "addr_info": [{"local": "192.0.2.11"}, {"local": "192.0.2.100"}, {"local": "fe80::1"}, {}]},
        {},
    ]
)


@pytest.mark.parametrize(
    ("address", "interface"),
    [("192.0.2.100", "eth0"), ("192.0.2.10", None), ("fe80:0::1", "eth0"), ("127.0.0.1", "lo")],
)
def test_interface_of(address, interface):
    assert interface_of(address, LISTING) == interface


def test_not_an_address():
    with pytest.raises(Refused, match="not an IP address"):
        interface_of("192.0.2.100/24", LISTING)


@pytest.mark.parametrize("listing", ["", "{}x", '[{"addr_info": [{"local": "x"}]}]', "[1]"])
def test_not_a_listing(listing):
    with pytest.raises(Unreadable):
        interface_of("192.0.2.1", listing)

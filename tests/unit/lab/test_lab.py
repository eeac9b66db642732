# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure parts of the lab: which image, which hosts, which settings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.lab import settings
from tests.lab.containers import Host, hosts_from
from tests.lab.images import builder_recipe, node_recipe


def test_an_image_is_named_by_its_content():
    recipe = node_recipe("trixie")
    assert recipe.tag == node_recipe("trixie").tag
    assert len({recipe.tag, replace(recipe, include="vim").tag, replace(recipe, archive="vim").tag}) == 3
    assert node_recipe("bookworm").tag != builder_recipe().tag


def test_hosts_come_from_the_inventory():
    variables = {"ansible_host": "steadfast-lb1", "platform_address": "172.30.40.11", "lab_distro": "trixie"}
    listing = {"_meta": {"hostvars": {"lb1": variables}}, "load_balancers": {"hosts": ["lb1"]}, "all": {"children": []}}
    host = Host("lb1", "steadfast-lb1", "172.30.40.11", "trixie", ("load_balancers",))
    assert hosts_from(listing) == {"lb1": host}


@pytest.mark.parametrize("text", ["two", "2", "61", "-3"])
def test_a_wrong_number_of_nodes_is_said(monkeypatch, text):
    monkeypatch.setenv("LAB_NODES", text)
    with pytest.raises(settings.LabError, match=f"LAB_NODES is '{text}'"):
        settings.nodes()


def test_settings_have_defaults(monkeypatch):
    for name in ("LAB_NODES", "STEADFAST_LAB", "STEADFAST_LAB_SUBNET"):
        monkeypatch.delenv(name, raising=False)
    assert (settings.nodes(), settings.name(), settings.subnet()) == (3, "steadfast", "172.30.40")

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a balancer remembers of its virtual IP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.vrrp.keepalived import OWN, fingerprint, remembered

ROLES = Path(__file__).resolve().parents[5] / "roles"

STATE = {
    "state": "MASTER",
    "priority": 250,
    "since": 5.5,
    "transitions": 12,
    "history": [{"state": "MASTER", "at": 5.5}] * 12,
}


def test_remembered():
    found = remembered(json.dumps(STATE))
    assert (found["state"], found["priority"], found["since"], found["transitions"]) == ("MASTER", 250, 5.5, 12)
    assert len(found["history"]) == 10


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "[" * 3000, json.dumps(dict(STATE, state="KING")), json.dumps(dict(STATE, history=[1]))],
)
def test_not_remembered(text):
    with pytest.raises(Unreadable, match="not understood"):
        remembered(text)


def test_the_pair_differs_by_its_own_names_only():
    lines = "global\n    localpeer {0}  # of this balancer alone\n    maxconn 8\n"
    lb1, lb2 = lines.format("lb1"), lines.format("lb2")
    assert fingerprint(lb1) == fingerprint(lb2) != fingerprint(lb2.replace("8", "9"))
    assert fingerprint(lb1.replace("  # of this balancer alone", "")) != fingerprint(lb2)


def test_what_may_differ_is_what_the_role_says():
    template = (ROLES / "load_balancer/templates/haproxy.cfg.j2").read_text(encoding="utf-8")
    template += (ROLES / "load_balancer/templates/haproxy_own.cfg.j2").read_text(encoding="utf-8")
    marked = [line.split()[0] for line in template.splitlines() if line.endswith(OWN)]
    assert marked == ["localpeer", "bind"]

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the module reads its options."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.action.rollout_plan import excluded_from, nodes_from, views_from
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.plan import BalancerView, Node


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({}, []),
        ({"ledger_excluded": None}, []),
        ({"ledger_excluded": ["lb2"]}, ["lb2"]),
        ({"ledger_excluded": "lb2, witness"}, ["lb2", "witness"]),
        ({"ledger_excluded": 7}, []),
    ],
)
def test_ledger_hosts_named_as_gone(said, names):
    assert excluded_from(said) == names


def test_what_was_found_becomes_records():
    assert nodes_from([{"name": "gpu1", "release": "", "problem": "", "identities": {"r1": "tiny@r1"}}]) == [
        Node("gpu1", None, None, "", {"r1": "tiny@r1"})
    ]
    assert views_from([{"name": "lb1", "holder": True, "servers": {"gpu1": {"state": "ready", "up": 1}}}]) == [
        BalancerView("lb1", {"gpu1": ("ready", True)}, True, None)
    ]

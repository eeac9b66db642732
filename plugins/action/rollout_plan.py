# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action rollout_plan: documented in plugins/modules/rollout_plan.py."""

from __future__ import annotations

from dataclasses import asdict

from ansible.plugins.action import ActionBase

from ..module_utils.errors import PlatformError, Refused
from ..module_utils.ledger.quorum import copy_from, settle
from ..module_utils.rollout.plan import BalancerView, Node
from ..module_utils.rollout.request import MODES, Request, answer

ARGUMENTS = {
    "mode": {"type": "str", "choices": list(MODES), "default": "start"},
    "pool": {"type": "str", "required": True},
    "release": {"type": "str", "default": ""},
    "policy": {"type": "dict", "default": {}},
    "nodes": {"type": "list", "elements": "dict", "required": True},
    "balancers": {"type": "list", "elements": "dict", "required": True},
    "ledgers": {"type": "dict", "required": True},
    "virtual_ip": {"type": "bool", "default": True},
}


class ActionModule(ActionBase):
    """Decides from what was seen; nothing is asked and nothing changed."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """Decide, and answer."""
        super().run(tmp, task_vars)
        _spec, asked = self.validate_argument_spec(ARGUMENTS)
        request = Request(asked["mode"], asked["pool"], asked["release"], asked["policy"], asked["virtual_ip"])
        try:
            ledger = ledger_from(asked["ledgers"], excluded_from(asked["policy"]))
            found = answer(request, nodes_from(asked["nodes"]), views_from(asked["balancers"]), ledger)
        except PlatformError as error:
            return {**error.evidence, "failed": True, "msg": error.message}
        batches = found.plan["batches"]
        ahead = [*found.forward, *found.backward]
        return {"changed": False, "nodes": [name for index in ahead for name in batches[index]], **asdict(found)}


def ledger_from(copies, excluded):
    """The option ledgers as a majority has it. Raises Refused without one."""
    try:
        return settle({host: copy_from(result) for host, result in copies.items()}, excluded)
    except PlatformError as error:
        raise Refused(
            "{0} (to go on without one: ledger_excluded). Nothing was changed.".format(error.message)
        ) from error


def nodes_from(found):
    """The option nodes, as records."""
    return [
        Node(
            name=node["name"],
            release=node.get("release") or None,
            problem=node.get("problem") or None,
            domain=node.get("domain") or "",
            identities=node.get("identities") or {},
        )
        for node in found
    ]


def views_from(found):
    """The option balancers, as records."""
    return [
        BalancerView(
            name=view["name"],
            servers={name: (server["state"], bool(server["up"])) for name, server in view.get("servers", {}).items()},
            holder=bool(view.get("holder")),
            problem=view.get("problem") or None,
        )
        for view in found
    ]


def excluded_from(policy):
    """Ledger hosts that the policy names as gone, before the policy is checked."""
    said = policy.get("ledger_excluded") or []
    names = said.split(",") if isinstance(said, str) else said if isinstance(said, (list, tuple)) else []
    return [str(name).strip() for name in names]

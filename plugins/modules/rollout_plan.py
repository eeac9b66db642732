#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_plan
short_description: Plans a rollout, or says why it must not begin
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - From what was found on nodes, balancers and ledger hosts decides the batches of a rollout and their order, or what is left of one that
    was interrupted. Changes nothing.
  - Fails, with every reason at once, when a host could not be looked at, when the capacity floor cannot be kept, when a server was found
    out of traffic, when another controller holds the pool, or when the policy cannot be understood.
options:
  mode:
    description:
      - V(start) plans a new run. V(resume) goes on with the one that its controller left unfinished. V(rollback) plans a run to the release
        from before, and takes along what an unfinished run left out of traffic.
    type: str
    choices: [start, resume, rollback]
    default: start
  pool:
    description: Name of the pool.
    type: str
    required: true
  release:
    description: Name of the release to move to. Required with O(mode=start).
    type: str
    default: ""
  policy:
    description: The policy, as docs/rollout.md describes it.
    type: dict
    default: {}
  nodes:
    description: The servers of the pool, as found (C(name), C(release), C(problem), C(domain), C(identities)).
    type: list
    elements: dict
    required: true
  balancers:
    description: The balancers, as found (C(name), C(holder), C(servers), C(problem)).
    type: list
    elements: dict
    required: true
  ledgers:
    description: What M(steadfast.ai_platform.rollout_ledger_info) returned at each ledger host.
    type: dict
    required: true
  virtual_ip:
    description: Whether the balancers share a virtual IP, which exactly one of them must hold.
    type: bool
    default: true
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
seealso:
  - module: steadfast.ai_platform.rollout_step
"""

EXAMPLES = r"""
- name: Plan
  steadfast.ai_platform.rollout_plan:
    pool: serving
    release: r2
    policy: {max_parallel: 1, bake_time: 30}
    nodes: "{{ platform.nodes }}"
    balancers: "{{ platform.balancers }}"
    ledgers: "{{ platform.ledgers }}"
"""

RETURN = r"""
plan:
  description: The whole plan (C(batches), C(balancers) in the order of draining, C(min_available), C(previous), and more).
  type: dict
  returned: success
policy:
  description: Every key of the policy with the value that counts.
  type: dict
  returned: success
forward:
  description: Batches, by index, that are to be brought to the release.
  type: list
  elements: int
  returned: success
backward:
  description: Batches, by index, that are to be taken back because the run had failed before it was interrupted.
  type: list
  elements: int
  returned: success
nodes:
  description: The servers that will be changed, in the order of the plan.
  type: list
  elements: str
  returned: success
text:
  description: The plan for people.
  type: str
  returned: success
reasons:
  description: Why the rollout must not begin.
  type: list
  elements: str
  returned: failure
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError, Refused
from ..module_utils.ledger.quorum import copy_from, settle
from ..module_utils.rollout.plan import BalancerView, Node
from ..module_utils.rollout.request import MODES, Request, answer


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


def main():
    """Decide, and answer."""
    spec = {
        "mode": {"type": "str", "choices": list(MODES), "default": "start"},
        "pool": {"type": "str", "required": True},
        "release": {"type": "str", "default": ""},
        "policy": {"type": "dict", "default": {}},
        "nodes": {"type": "list", "elements": "dict", "required": True},
        "balancers": {"type": "list", "elements": "dict", "required": True},
        "ledgers": {"type": "dict", "required": True},
        "virtual_ip": {"type": "bool", "default": True},
    }
    module = AnsibleModule(spec, supports_check_mode=True)
    params = module.params
    request = Request(params["mode"], params["pool"], params["release"], params["policy"], params["virtual_ip"])
    try:
        copies = {host: copy_from(result) for host, result in params["ledgers"].items()}
        try:
            ledger = settle(copies, excluded_from(params["policy"]))
        except PlatformError as error:
            raise Refused(
                "{0} (to go on without one: ledger_excluded). Nothing was changed.".format(error.message)
            ) from error
        found = answer(request, nodes_from(params["nodes"]), views_from(params["balancers"]), ledger)
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    batches = found.plan["batches"]
    ahead = [*found.forward, *found.backward]
    module.exit_json(changed=False, nodes=[name for index in ahead for name in batches[index]], **asdict(found))


if __name__ == "__main__":
    main()

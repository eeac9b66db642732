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
  - From what was found on nodes and balancers decides the batches of a rollout and their order. Changes nothing.
  - Fails, with every reason at once, when a node or a balancer could not be looked at, when the capacity floor cannot be kept, or when
    a server was found out of traffic.
options:
  pool:
    description: Name of the pool.
    type: str
    required: true
  release:
    description: Name of the release to move to.
    type: str
    required: true
  nodes:
    description: The servers of the pool, as found.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the server.
        type: str
        required: true
      release:
        description: Its active release.
        type: str
      problem:
        description: Why it could not be looked at. An empty string means that it could.
        type: str
  balancers:
    description: The balancers, as found.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the balancer.
        type: str
        required: true
      holder:
        description: Whether it holds the virtual IP.
        type: bool
        default: false
      servers:
        description: The pool's servers at this balancer, each with C(state) and C(up), as M(steadfast.ai_platform.haproxy_info) returns them.
        type: dict
        default: {}
      problem:
        description: Why it could not be looked at. An empty string means that it could.
        type: str
  virtual_ip:
    description: Whether the balancers share a virtual IP, which exactly one of them must hold.
    type: bool
    default: true
  max_parallel:
    description: Servers that change together.
    type: int
    default: 1
  min_available:
    description: Servers that must stay admitted and healthy. Left out, the pool without one batch, and at least one.
    type: int
  admit_drained:
    description: Take along servers that were found out of traffic, and admit them.
    type: bool
    default: false
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
"""

EXAMPLES = r"""
- name: Plan
  steadfast.ai_platform.rollout_plan:
    pool: serving
    release: r2
    nodes:
      - {name: gpu1, release: r1}
      - {name: gpu2, release: r1}
    balancers:
      - name: lb1
        holder: true
        servers: {gpu1: {state: ready, up: true}, gpu2: {state: ready, up: true}}
"""

RETURN = r"""
batches:
  description: The servers of each batch.
  type: list
  elements: list
  returned: success
batch_sizes:
  description: The size of each batch, for the keyword C(serial).
  type: list
  elements: int
  returned: success
balancers:
  description: The balancers in the order of draining, standby first.
  type: list
  elements: str
  returned: success
min_available:
  description: The capacity floor.
  type: int
  returned: success
previous:
  description: The release each server comes from.
  type: dict
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

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError
from ..module_utils.rollout.plan import BalancerView, Node, Policy, make_plan


def argument_spec():
    """Options, as documented above."""
    node = {"name": {"type": "str", "required": True}, "release": {"type": "str"}, "problem": {"type": "str"}}
    balancer = {
        "name": {"type": "str", "required": True},
        "holder": {"type": "bool", "default": False},
        "servers": {"type": "dict", "default": {}},
        "problem": {"type": "str"},
    }
    return {
        "pool": {"type": "str", "required": True},
        "release": {"type": "str", "required": True},
        "nodes": {"type": "list", "elements": "dict", "required": True, "options": node},
        "balancers": {"type": "list", "elements": "dict", "required": True, "options": balancer},
        "virtual_ip": {"type": "bool", "default": True},
        "max_parallel": {"type": "int", "default": 1},
        "min_available": {"type": "int"},
        "admit_drained": {"type": "bool", "default": False},
    }


def main():
    """Decide, and answer."""
    module = AnsibleModule(argument_spec(), supports_check_mode=True)
    params = module.params
    nodes = [Node(node["name"], node["release"] or None, node["problem"]) for node in params["nodes"]]
    views = [
        BalancerView(
            view["name"],
            {name: (server["state"], bool(server["up"])) for name, server in view["servers"].items()},
            view["holder"],
            view["problem"],
        )
        for view in params["balancers"]
    ]
    policy = Policy(params["max_parallel"], params["min_available"], params["admit_drained"], params["virtual_ip"])
    try:
        plan = make_plan(params["pool"], params["release"], nodes, views, policy)
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    module.exit_json(
        changed=False,
        batches=plan.batches,
        batch_sizes=[len(batch) for batch in plan.batches],
        balancers=plan.balancers,
        min_available=plan.min_available,
        previous=plan.previous,
        text=plan.text(),
    )


if __name__ == "__main__":
    main()

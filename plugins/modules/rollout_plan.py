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
  - Runs on the controller, in a task on localhost. It is an action plugin; C(plugins/action/rollout_plan.py) has the code.
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

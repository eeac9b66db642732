#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_node
short_description: Takes one node out of traffic at every balancer, or brings it back with proof
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Holds the pool's lease meanwhile, so that it never meets a rollout, keeps the capacity floor, and says in the journal who did it and why.
  - What an operator has drained stays drained; no timer brings it back.
  - Runs on the controller, in a task on localhost. It is an action plugin; C(plugins/action/rollout_node.py) has the code.
options:
  pool:
    description: Name of the pool.
    type: str
    required: true
  node:
    description: Name of the node.
    type: str
    required: true
  state:
    description:
      - V(drained) waits until no request runs at the node, then sets maintenance. V(admitted) asks the node for a real completion and brings it back
        by probation.
    type: str
    choices: [drained, admitted]
    required: true
  nodes:
    description: All nodes of the pool.
    type: list
    elements: str
    required: true
  balancers:
    description: The balancers, in the order of draining.
    type: list
    elements: str
    required: true
  ledger_hosts:
    description: The hosts that keep the journal.
    type: list
    elements: str
    required: true
  policy:
    description: The pool's policy, as docs/rollout.md describes it.
    type: dict
    default: {}
  reason:
    description: Why, for the journal.
    type: str
    default: ""
attributes:
  check_mode:
    description: Can run in check mode and say what would change.
    support: full
"""

EXAMPLES = r"""
- name: Take gpu1 out of traffic
  steadfast.ai_platform.rollout_node:
    pool: serving
    node: gpu1
    state: drained
    nodes: "{{ groups['serving'] }}"
    balancers: "{{ groups['load_balancers'] }}"
    ledger_hosts: "{{ groups['ledger_hosts'] }}"
"""

RETURN = r"""
cut:
  description: Requests that still ran at the deadline, where the policy says to go on.
  type: int
  returned: when something was changed
"""

#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_look
short_description: Looks at model servers, balancers and ledger hosts at once
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Asks every host for what a rollout is planned from, all at the same time, each over its own connection. A host that cannot be looked at is part of
    the answer, with the reason. Changes nothing.
  - Runs on the controller, in a task on localhost. It is an action plugin; C(plugins/action/rollout_look.py) has the code.
options:
  nodes:
    description: The model servers.
    type: list
    elements: str
    required: true
  balancers:
    description: The balancers.
    type: list
    elements: str
    required: true
  ledger_hosts:
    description: The hosts that keep the journal of rollouts.
    type: list
    elements: str
    default: []
  pool:
    description: Name of the pool. Left out, all pools of O(nodes).
    type: str
    default: ""
  domain_key:
    description: Name of the variable that says what a node fails together with.
    type: str
    default: ""
  history:
    description: Whether to tell the last rollout of each pool.
    type: bool
    default: false
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
seealso:
  - module: steadfast.ai_platform.rollout_plan
"""

EXAMPLES = r"""
- name: Look at everything
  steadfast.ai_platform.rollout_look:
    nodes: "{{ groups['serving'] }}"
    balancers: "{{ groups['load_balancers'] }}"
    ledger_hosts: "{{ groups['ledger_hosts'] }}"
    pool: serving
  register: platform
"""

RETURN = r"""
nodes:
  description: For O(steadfast.ai_platform.rollout_plan#module:nodes).
  type: list
  elements: dict
  returned: always
balancers:
  description: For O(steadfast.ai_platform.rollout_plan#module:balancers).
  type: list
  elements: dict
  returned: always
staged:
  description: For each node the releases that lie on it, each with what to ask an engine to prove it; empty for one that could not be read.
  type: dict
  returned: always
ledgers:
  description: For O(steadfast.ai_platform.rollout_plan#module:ledgers).
  type: dict
  returned: always
table:
  description: One line a server; its release, and its state at each balancer.
  type: str
  returned: always
history:
  description: The last rollout of each pool, every decision with its time and its numbers; empty unless O(history).
  type: str
  returned: always
"""

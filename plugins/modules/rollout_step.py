#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_step
short_description: Carries out one step of a rollout on balancers, nodes and ledger hosts together
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Asks all hosts of a step at the same time, each over its own connection, holds the pool's lease meanwhile, and writes to the journal what it
    is about to do before it does it. Every step can be repeated.
  - Runs on the controller, in a task on localhost. It is an action plugin; C(plugins/action/rollout_step.py) has the code.
options:
  step:
    description:
      - V(open) takes the lease and opens the journal. V(forward) takes one batch after the other out of traffic at every balancer, switches its
        nodes to the release and proves them, brings them back by probation, and watches them under real traffic until the gates have a verdict.
        V(close) ends the run. V(take_back) ends a run that failed, taking back what the policy says, and fails with the reason.
    type: str
    choices: [open, forward, take_back, close]
    required: true
  answer:
    description: The result of M(steadfast.ai_platform.rollout_plan). Required with O(step=open).
    type: dict
  staged:
    description: What RV(steadfast.ai_platform.rollout_look#module:staged) said, for O(step=open). Nodes it does not cover are asked anew.
    type: dict
    default: {}
  run:
    description: RV(run) of the step before. Required with every other step.
    type: dict
  batches:
    description: Batches of the plan in the order of their change, counted from 0, with O(step=forward).
    type: list
    elements: int
    default: []
  failure:
    description: The result of the task that failed, for V(take_back).
    type: dict
    default: {}
  ledger_hosts:
    description: Hosts that keep the journal, with O(step=open). What a majority of them has is valid.
    type: list
    elements: str
    default: []
  events_folder:
    description: Folder on the controller for the run's events and its report, with O(step=open).
    type: str
    default: ~/.local/state/steadfast/rollouts
attributes:
  check_mode:
    description: Is skipped in check mode; the plan is all that can be said beforehand.
    support: none
seealso:
  - module: steadfast.ai_platform.rollout_plan
  - module: steadfast.ai_platform.rollout_ledger
"""

EXAMPLES = r"""
- name: Take the lease and open the journal
  steadfast.ai_platform.rollout_step:
    step: open
    answer: "{{ rollout }}"
    ledger_hosts: "{{ groups['ledger_hosts'] }}"
  register: rollout_now

- name: Change batch by batch
  steadfast.ai_platform.rollout_step:
    step: forward
    batches: "{{ rollout.forward }}"
    run: "{{ rollout_now.run }}"
  register: rollout_now
"""

RETURN = r"""
run:
  description: The run as it stands, for the next step.
  type: dict
  returned: when the run goes on
verdicts:
  description: What each gate found, with its numbers.
  type: list
  elements: dict
  returned: when a gate of O(step=forward) fails
quarantined:
  description: Nodes that could not be brought back, with the reason.
  type: dict
  returned: with O(step=take_back)
report:
  description: Paths of the report.
  type: dict
  returned: with O(step=close) and O(step=take_back)
"""

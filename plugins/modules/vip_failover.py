#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vip_failover
short_description: Moves a virtual IP to another balancer, when that one is fit
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Asks both balancers, refuses unless the other one is fit (keepalived is BACKUP, the same configuration, no fewer servers UP, the same servers out
    of traffic, tables in sync), lets the holder give the address away, watches it arrive, and asks through it from a third host all the while.
  - With O(rounds) it goes there and back so many times, and at the end the address is where it was. That is a rehearsal.
  - Runs on the controller, in a task on localhost. It is an action plugin; C(plugins/action/vip_failover.py) has the code.
options:
  balancers:
    description: The balancers, with the role's variables.
    type: list
    elements: str
    required: true
  address:
    description: The virtual IP.
    type: str
    required: true
  port:
    description: TCP port of a pool, to ask through the address.
    type: int
    required: true
  path:
    description: Path that is answered 200 when the pool serves.
    type: str
    default: /health
  tls:
    description: Whether the port speaks TLS.
    type: bool
    default: false
  to:
    description: The balancer that shall hold the address. Left out, the first that does not.
    type: str
    default: ""
  asked_from:
    description: The host that asks through the address. It must reach it, and be no balancer.
    type: str
    required: true
  rounds:
    description: Times to go there and back, 50 at most. 0 goes once and stays.
    type: int
    default: 0
  rate:
    description: Requests a second while the address moves.
    type: float
    default: 50
  reason:
    description: Why, for the journal of the host that gives it away.
    type: str
    default: ""
attributes:
  check_mode:
    description: Says what would be done, or why not.
    support: full
seealso:
  - module: steadfast.ai_platform.vip_info
  - module: steadfast.ai_platform.vip_handover
  - module: steadfast.ai_platform.vip_probe
"""

EXAMPLES = r"""
- name: Let the other balancer hold the virtual IP
  steadfast.ai_platform.vip_failover:
    balancers: "{{ groups['load_balancers'] }}"
    address: 192.0.2.100
    port: 8080
    asked_from: witness1
"""

RETURN = r"""
text:
  description: What was done, a line each.
  type: str
  returned: always
moves:
  description: Each move, with what was asked through the address meanwhile.
  type: list
  elements: dict
  returned: success
  contains:
    source:
      description: Who held it.
      type: str
    target:
      description: Who holds it now.
      type: str
    requests:
      description: Requests sent from a second before the move until two seconds after it.
      type: int
    unanswered:
      description: Those without an answer 200.
      type: int
    unconnected:
      description: Those of them that got no connection; the others lost the one they had when the address moved.
      type: int
    problems:
      description: What was wrong, each reason with its number.
      type: dict
    gap:
      description: Seconds between two good answers, at most.
      type: float
"""

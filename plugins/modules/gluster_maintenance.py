#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gluster_maintenance
short_description: Says in the journal that work at one storage server begins or has ended, when that is safe
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - V(began) waits until nothing is to be healed, refuses while another copy is not whole or while work at another server is open, and notes the work in
    the journal of the ledger hosts. The same work, interrupted, goes on.
  - V(ended) waits until the volume is healthy again with nothing left to heal, and notes that.
  - Runs on the controller. It is an action plugin; C(plugins/action/gluster_maintenance.py) has the code.
options:
  state:
    description: What is to be noted.
    type: str
    choices: [began, ended]
    required: true
  kind:
    description: What is done. For V(replace) the server itself may be gone already.
    type: str
    choices: [upgrade, replace]
    required: true
  server:
    description: The server's name in the inventory.
    type: str
    required: true
  servers:
    description: All servers of the volume, name to address.
    type: dict
    required: true
  volume:
    description: Name of the volume.
    type: str
    required: true
  ledger_hosts:
    description: The hosts that keep the journal.
    type: list
    elements: str
    required: true
  patience:
    description: Seconds to wait for what is to be healed.
    type: int
    default: 3600
attributes:
  check_mode:
    description: Says whether it may begin, and writes nothing.
    support: full
seealso:
  - module: steadfast.ai_platform.gluster_health_info
"""

EXAMPLES = r"""
- name: Begin, unless another copy is not whole
  steadfast.ai_platform.gluster_maintenance:
    state: began
    kind: upgrade
    server: "{{ inventory_hostname }}"
    servers: "{{ model_store_servers }}"
    volume: store
    ledger_hosts: "{{ groups['ledger_hosts'] }}"
"""

RETURN = r"""
health:
  description: What was found, in one line.
  type: str
  returned: success
"""

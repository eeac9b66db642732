# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter found_balancers."""

from __future__ import annotations

DOCUMENTATION = r"""
name: found_balancers
short_description: Balancers as the rollout plan takes them
version_added: 0.1.0
author: Steadfast AI Platform contributors (@steadfast-ai)
description:
  - From what the playbooks' observation registered on each host makes the option O(steadfast.ai_platform.rollout_plan#module:balancers).
positional: hostvars, pool
options:
  _input:
    description: Names of the balancers.
    type: list
    elements: str
    required: true
  hostvars:
    description: The magic variable of the same name.
    type: dict
    required: true
  pool:
    description: Name of the pool.
    type: str
    required: true
"""

EXAMPLES = r"""
balancers: "{{ groups['load_balancers'] | steadfast.ai_platform.found_balancers(hostvars, 'serving') }}"
"""

RETURN = r"""
_value:
  description: One entry a balancer, with C(name), C(holder), C(servers) and C(problem).
  type: list
  elements: dict
"""

from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.found import found_balancers


class FilterModule:
    """Names the filter for Ansible."""

    def filters(self):
        """The filters in this file."""
        return {"found_balancers": found_balancers}

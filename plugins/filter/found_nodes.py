# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter found_nodes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: found_nodes
short_description: Model servers as the rollout plan takes them
version_added: 0.1.0
author: Steadfast AI Platform contributors (@steadfast-ai)
description:
  - From what the playbooks' observation registered on each host makes the option O(steadfast.ai_platform.rollout_plan#module:nodes).
positional: hostvars, domain_key
options:
  _input:
    description: Names of the hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The magic variable of the same name.
    type: dict
    required: true
  domain_key:
    description: Name of the variable that says what a host fails together with. Empty for none.
    type: str
    default: ""
"""

EXAMPLES = r"""
nodes: "{{ groups['serving'] | steadfast.ai_platform.found_nodes(hostvars) }}"
"""

RETURN = r"""
_value:
  description: One entry a host, with C(name), C(release), C(problem), C(domain) and C(identities).
  type: list
  elements: dict
"""

from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.found import found_nodes


class FilterModule:
    """Names the filter for Ansible."""

    def filters(self):
        """The filters in this file."""
        return {"found_nodes": found_nodes}

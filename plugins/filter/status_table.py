# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter status_table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: status_table
short_description: The platform's state as one table of text
version_added: 0.1.0
author: Steadfast AI Platform contributors (@steadfast-ai)
description:
  - From what the playbooks' observation registered on each host makes a table with a line for each model server and a column for each balancer.
positional: hostvars
options:
  _input:
    description: Names of the hosts, in the lists C(nodes) and C(balancers).
    type: dict
    required: true
  hostvars:
    description: The magic variable of the same name.
    type: dict
    required: true
"""

EXAMPLES = r"""
table: "{{ {'nodes': groups['serving'], 'balancers': groups['load_balancers']} | steadfast.ai_platform.status_table(hostvars) }}"
"""

RETURN = r"""
_value:
  description: The table.
  type: str
"""

from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.found import status_table


class FilterModule:
    """Names the filter for Ansible."""

    def filters(self):
        """The filters in this file."""
        return {"status_table": status_table}

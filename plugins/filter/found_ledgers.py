# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter found_ledgers."""

from __future__ import annotations

DOCUMENTATION = r"""
name: found_ledgers
short_description: Ledger hosts as the rollout plan takes them
version_added: 0.1.0
author: Steadfast AI Platform contributors (@steadfast-ai)
description:
  - From what the playbooks' observation registered on each host makes the option O(steadfast.ai_platform.rollout_plan#module:ledgers).
positional: hostvars, pool
options:
  _input:
    description: Names of the ledger hosts.
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
ledgers: "{{ groups['ledger_hosts'] | steadfast.ai_platform.found_ledgers(hostvars, 'serving') }}"
"""

RETURN = r"""
_value:
  description: For each host what M(steadfast.ai_platform.rollout_ledger_info) returned, or why it returned nothing.
  type: dict
"""

from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.found import found_ledgers


class FilterModule:
    """Names the filter for Ansible."""

    def filters(self):
        """The filters in this file."""
        return {"found_ledgers": found_ledgers}

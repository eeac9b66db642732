# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter rollout_policy."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout_policy
short_description: A pool's policy with what was asked for one run
version_added: 0.1.0
author: Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Takes the declared policy and puts in its place every key of a policy that the variables of this run hold, such as C(-e bake_time=60).
positional: asked
options:
  _input:
    description: The declared policy.
    type: dict
    required: true
  asked:
    description: Variables of this run. What is no key of a policy is passed over.
    type: dict
    required: true
"""

EXAMPLES = r"""
policy: "{{ rollout_policy | steadfast.ai_platform.rollout_policy(hostvars['localhost']) }}"
"""

RETURN = r"""
_value:
  description: The policy, not yet checked.
  type: dict
"""

from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.policy import rollout_policy


class FilterModule:
    """Names the filter for Ansible."""

    def filters(self):
        """The filters in this file."""
        return {"rollout_policy": rollout_policy}

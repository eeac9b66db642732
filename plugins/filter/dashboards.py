# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter dashboards."""

from __future__ import annotations

DOCUMENTATION = r"""
name: dashboards
short_description: Dashboards of Grafana from the specification of panels
version_added: 0.1.0
author: Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Makes a dashboard of Grafana 10 or 11 from each board of a specification, as C(roles/monitoring/files/panels.yml) is one.
  - The dashboards ask for their data source when they are opened, so that they fit any Grafana.
options:
  _input:
    description: The specification.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write a file for each dashboard
  ansible.builtin.copy:
    dest: "/etc/grafana/steadfast/{{ item.uid }}.json"
    content: "{{ item | to_nice_json }}"
    mode: "0644"
  loop: "{{ lookup('ansible.builtin.file', 'panels.yml') | from_yaml | steadfast.ai_platform.dashboards }}"
  loop_control:
    label: "{{ item.uid }}"
"""

RETURN = r"""
_value:
  description: The dashboards, each with its C(uid) and C(title).
  type: list
  elements: dict
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError
from ansible_collections.steadfast.ai_platform.plugins.module_utils.grafana import dashboards


def _dashboards(spec):
    try:
        return dashboards(spec)
    except PlatformError as error:
        raise AnsibleFilterError(error.message) from error


class FilterModule:
    """Names the filter for Ansible."""

    def filters(self):
        """The filters in this file."""
        return {"dashboards": _dashboards}

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter site_boards."""

from __future__ import annotations

DOCUMENTATION = r"""
name: site_boards
short_description: What the status site reads, from the specification of panels
version_added: 0.1.0
author: Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Checks a specification of panels, as C(roles/monitoring/files/panels.yml) is one, and makes of it the content of the site's C(boards.json).
options:
  _input:
    description: The specification.
    type: dict
    required: true
  interval:
    description: Seconds between two samples of Prometheus.
    type: float
    default: 15
  runbooks:
    description: What comes before the name of an alert, an http address or a path of the site. Empty for no links.
    type: str
    default: ""
  title:
    description: Of the page.
    type: str
    default: Platform status
"""

EXAMPLES = r"""
- name: Write what the site shows
  ansible.builtin.copy:
    dest: /usr/share/steadfast/site/boards.json
    content: "{{ lookup('ansible.builtin.file', 'panels.yml') | from_yaml | steadfast.ai_platform.site_boards(interval=15) | to_json }}"
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The content of C(boards.json).
  type: dict
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError
from ansible_collections.steadfast.ai_platform.plugins.module_utils.panels import site


def site_boards(spec, interval=15, runbooks="", title=""):
    """The content of boards.json."""
    try:
        return site(spec, float(interval), runbooks, title)
    except PlatformError as error:
        raise AnsibleFilterError(error.message) from error


class FilterModule:
    """Names the filter for Ansible."""

    def filters(self):
        """The filters in this file."""
        return {"site_boards": site_boards}

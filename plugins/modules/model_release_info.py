#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: model_release_info
short_description: Reads the releases on a model server
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Lists the releases staged for a pool on this node, and says which one is active and whether its unit runs. Changes nothing.
options:
  pool:
    description: Name of the pool.
    type: str
    required: true
  root:
    description: Folder of all pools.
    type: path
    default: /srv/models
  unit:
    description: The systemd unit of the pool.
    type: str
    required: true
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
seealso:
  - module: steadfast.ai_platform.model_release
"""

EXAMPLES = r"""
- name: Read what runs here
  steadfast.ai_platform.model_release_info:
    pool: serving
    unit: model-server-serving.service
  register: node
"""

RETURN = r"""
active:
  description: Name of the active release. Null when there is none.
  type: str
  returned: always
staged:
  description: Names of the staged releases.
  type: list
  elements: str
  returned: always
running:
  description: Whether the unit runs.
  type: bool
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.engine.shelf import Shelf
from ..module_utils.engine.unit import Unit


def main():
    """Read, and answer."""
    spec = {
        "pool": {"type": "str", "required": True},
        "root": {"type": "path", "default": "/srv/models"},
        "unit": {"type": "str", "required": True},
    }
    module = AnsibleModule(spec, supports_check_mode=True)
    shelf = Shelf(module.params["root"], module.params["pool"])
    state = Unit(module.params["unit"], module.run_command).show()
    module.exit_json(
        changed=False, active=shelf.active(), staged=shelf.names(), running=state.get("ActiveState") == "active"
    )


if __name__ == "__main__":
    main()

#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gluster_peer
short_description: Waits until a server that has lost its state is a member of its cluster again
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Runs on a server that has the identity which the others know it by, and their identities. Waits until each is connected and the volume is known.
  - Probes nobody. Two servers that know each other and probe at the same time may stay halfway for good.
options:
  servers:
    description: Addresses of the other servers.
    type: list
    elements: str
    required: true
  volume:
    description: Name of the volume.
    type: str
    required: true
  patience:
    description: Seconds until a volume that is not known, while all servers are, is reported as such in RV(learned).
    type: int
    default: 20
  timeout:
    description: Seconds until servers that are not connected are an error.
    type: int
    default: 120
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
seealso:
  - module: steadfast.ai_platform.gluster_brick
"""

EXAMPLES = r"""
- name: Wait for the others
  steadfast.ai_platform.gluster_peer:
    servers: [192.0.2.41, 192.0.2.42]
    volume: store
"""

RETURN = r"""
learned:
  description: Whether the volume is known now. If not, the daemon learns it when it is restarted.
  type: bool
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError
from ..module_utils.storage.gluster_client import Gluster


def main():
    """Wait for the servers, then for the volume."""
    module = AnsibleModule(
        {
            "servers": {"type": "list", "elements": "str", "required": True},
            "volume": {"type": "str", "required": True},
            "patience": {"type": "int", "default": 20},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    given = module.params
    gluster = Gluster(module.run_command, given["timeout"])
    try:
        gluster.await_members(given["servers"])
        learned = gluster.learned(given["volume"], given["patience"]) is not None
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    module.exit_json(changed=False, learned=learned)


if __name__ == "__main__":
    main()

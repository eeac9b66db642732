#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gluster_peer
short_description: Has a server that has lost its state meet its cluster again
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Runs on a server that has the identity which the others know it by. Meets every one of them, and waits until each is connected and the volume is known.
  - A server that does not know all of them must not be restarted, because the daemon does not start with a volume whose servers it does not know.
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
    description: Seconds that meeting a server may take.
    type: int
    default: 120
attributes:
  check_mode:
    description: Says whether there is somebody to meet.
    support: full
seealso:
  - module: steadfast.ai_platform.gluster_brick
"""

EXAMPLES = r"""
- name: Meet the others
  steadfast.ai_platform.gluster_peer:
    servers: [192.0.2.41, 192.0.2.42]
    volume: store
"""

RETURN = r"""
met:
  description: The servers that were not connected before.
  type: list
  elements: str
  returned: success
learned:
  description: Whether the volume is known now. If not, the daemon learns it when it is restarted.
  type: bool
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError
from ..module_utils.storage.gluster_client import Gluster


def main():
    """Meet who is not connected, then see whether the volume is known."""
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
        known = gluster.members()
        unknown = [server for server in given["servers"] if server not in known]
        if not module.check_mode:
            for server in unknown:
                gluster.meet(server)
        learned = gluster.learned(given["volume"], 0 if module.check_mode else given["patience"]) is not None
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    module.exit_json(changed=bool(unknown), met=unknown, learned=learned)


if __name__ == "__main__":
    main()

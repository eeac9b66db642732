#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gluster_brick
short_description: Puts an empty brick in the place of one that was lost
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - V(announced) on another server, V(prepared) on the one with the empty brick, then V(rebuilt) on another one, in this order. The brick has the
    server and the path that the lost one had.
  - A brick that comes up empty counts as whole for GlusterFS; V(announced) has the other copies know that it is not. V(rebuilt) starts and heals it.
  - A folder with files, a brick of another volume, and a brick that runs are refused.
options:
  volume:
    description: Name of the volume.
    type: str
    required: true
  brick:
    description: The brick, SERVER:/PATH.
    type: str
    required: true
  state:
    description: What to bring about.
    type: str
    choices: [announced, prepared, rebuilt]
    required: true
  timeout:
    description: Seconds that one command may take.
    type: int
    default: 120
attributes:
  check_mode:
    description: Says what would be done, or why not.
    support: full
seealso:
  - module: steadfast.ai_platform.gluster_volume
"""

EXAMPLES = r"""
- name: Have the other copies know that this one is empty
  steadfast.ai_platform.gluster_brick:
    volume: store
    brick: 192.0.2.43:/srv/brick/store
    state: announced
  delegate_to: store1

- name: Make the new disk the brick that was lost
  steadfast.ai_platform.gluster_brick:
    volume: store
    brick: 192.0.2.43:/srv/brick/store
    state: prepared

- name: Fill it from the others
  steadfast.ai_platform.gluster_brick:
    volume: store
    brick: 192.0.2.43:/srv/brick/store
    state: rebuilt
  delegate_to: store1
"""

RETURN = r""" # """

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError, Refused
from ..module_utils.storage.brick import announce, prepare, rebuild
from ..module_utils.storage.gluster_client import Gluster
from ..module_utils.storage.health import pending


def act(module, gluster):
    """Do it, or say whether it would be done."""
    given = module.params
    volume = gluster.learned(given["volume"])
    if volume is None or given["brick"] not in [brick.name for brick in volume.bricks]:
        known = ", ".join(brick.name for brick in volume.bricks) if volume else "there is no such volume"
        raise Refused("volume {0} has no brick {1} ({2})".format(given["volume"], given["brick"], known))
    path = given["brick"].partition(":")[2]
    if given["state"] == "prepared":
        return prepare(path, volume, module.check_mode)
    seen = gluster.look(volume.name)
    running = given["brick"] in seen.processes and seen.processes[given["brick"]].online
    if given["state"] == "announced":
        if not (running or module.check_mode):
            announce(gluster, module.run_command, volume, given["brick"])
        return not running
    # What runs may still have been ended before it was told to heal.
    if not module.check_mode and (not running or pending(seen.backlog)):
        rebuild(gluster, volume)
    return not running


def main():
    """Read the arguments, act once, answer."""
    module = AnsibleModule(
        {
            "volume": {"type": "str", "required": True},
            "brick": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["announced", "prepared", "rebuilt"], "required": True},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    try:
        changed = act(module, Gluster(module.run_command, module.params["timeout"]))
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    module.exit_json(changed=changed)


if __name__ == "__main__":
    main()

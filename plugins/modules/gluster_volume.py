#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gluster_volume
short_description: Brings three servers together and keeps a replicated GlusterFS volume as declared
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Probes servers that the cluster does not know, creates the volume, sets options that differ, and starts it. Options that are not given stay as
    they are.
  - It only ever adds. A server or a brick that is not declared, a brick that is missing, or a volume of another kind is an error; nothing is detached,
    removed or forced.
  - Run it on one server of the cluster, whose daemon runs.
options:
  name:
    description: Name of the volume.
    type: str
    required: true
  bricks:
    description: Three bricks on three servers, SERVER:/PATH each. The folder is created; its parent should be a file system of its own.
    type: list
    elements: str
    required: true
  address:
    description: The address among O(bricks) that is this server's.
    type: str
    required: true
  arbiter:
    description: Whether the last brick is an arbiter, which has names and attributes of files but not their bytes. It cannot be changed later.
    type: bool
    default: false
  options:
    description: Options of the volume and the values that they should have.
    type: dict
    default: {}
  root_disk:
    description: Whether a brick may lie on a server's root file system.
    type: bool
    default: false
  timeout:
    description: Seconds that one command may take.
    type: int
    default: 120
attributes:
  check_mode:
    description: Says what would be done, or why not.
    support: full
seealso:
  - module: steadfast.ai_platform.gluster_health_info
"""

EXAMPLES = r"""
- name: Have a volume with three copies
  steadfast.ai_platform.gluster_volume:
    name: store
    address: 192.0.2.41
    bricks: ["192.0.2.41:/srv/brick/store", "192.0.2.42:/srv/brick/store", "192.0.2.43:/srv/brick/store"]
    options:
      network.ping-timeout: "10"
"""

RETURN = r"""
steps:
  description: What was done, or in check mode would be, as words for C(gluster).
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError, Refused
from ..module_utils.storage.gluster import named
from ..module_utils.storage.gluster_client import Gluster
from ..module_utils.storage.volume_plan import Wanted, peers_to_probe, steps


def plan(gluster, wanted, here, root_disk):
    """What is to be done, as words for gluster. Raises PlatformError."""
    if here not in wanted.servers:
        raise Refused("this server's address {0} has none of the bricks {1}".format(here, ", ".join(wanted.bricks)))
    found = gluster.volumes().get(wanted.name)
    probes = [("peer", "probe", server) for server in peers_to_probe(wanted, here, named(gluster.peers(), found))]
    changes = [("volume", *words) for words in steps(wanted, found)]
    # Without the word gluster itself refuses the root file system.
    force = ("force",) if root_disk else ()
    return probes + [(*words, *force) if words[1] == "create" else words for words in changes]


def carry_out(gluster, planned, done):
    """Every step in order; `done` gets those that succeeded."""
    for words in planned:
        if words[0] == "peer":
            gluster.probe(words[2])
        else:
            gluster.volume(*words[1:])
        done.append(" ".join(words))


def main():
    """Read the arguments, act once, answer."""
    module = AnsibleModule(
        {
            "name": {"type": "str", "required": True},
            "bricks": {"type": "list", "elements": "str", "required": True},
            "address": {"type": "str", "required": True},
            "arbiter": {"type": "bool", "default": False},
            "options": {"type": "dict", "default": {}},
            "root_disk": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    given = module.params
    words = {True: "on", False: "off"}
    options = {key: words[value] if isinstance(value, bool) else str(value) for key, value in given["options"].items()}
    wanted = Wanted(given["name"], tuple(given["bricks"]), given["arbiter"], options)
    gluster, done = Gluster(module.run_command, given["timeout"]), []
    try:
        wanted.check()
        planned = plan(gluster, wanted, given["address"], given["root_disk"])
        if not module.check_mode:
            carry_out(gluster, planned, done)
    except PlatformError as error:
        module.fail_json(msg=error.message, steps=done, changed=bool(done), **error.evidence)
    module.exit_json(changed=bool(planned), steps=[" ".join(words) for words in planned])


if __name__ == "__main__":
    main()

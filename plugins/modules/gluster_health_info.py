#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gluster_health_info
short_description: Tells how a GlusterFS volume is, in one answer with a verdict
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Asks the daemon of this server about the other servers, the volume's bricks, what is to be healed, what nobody knows how to heal, clients that have
    lost a brick that runs, and free space.
  - V(healthy) means that nothing is wrong; V(degraded) that the volume serves, and that one more loss may end that; V(lost) that it does not serve,
    or that files have no copy that is known to be right.
  - Changes nothing.
options:
  volume:
    description: Name of the volume.
    type: str
    required: true
  min_free:
    description: Fraction of a brick's file system that should be free.
    type: float
    default: 0.1
  timeout:
    description: Seconds that one question to the daemon may take.
    type: int
    default: 60
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
seealso:
  - module: steadfast.ai_platform.gluster_volume
"""

EXAMPLES = r"""
- name: Refuse to take a server away while another copy is not whole
  steadfast.ai_platform.gluster_health_info:
    volume: store
  register: store
  failed_when: store.verdict != 'healthy'
"""

RETURN = r"""
verdict:
  description: V(healthy), V(degraded) or V(lost).
  type: str
  returned: success
findings:
  description: What is wrong, the worst first.
  type: list
  elements: dict
  returned: success
  sample: [{kind: brick offline, where: "192.0.2.43:/srv/brick/store", text: "brick 192.0.2.43:/srv/brick/store does not run"}]
text:
  description: The same in one line.
  type: str
  returned: success
started:
  description: Whether the volume is started. Null when there is none.
  type: bool
  returned: success
peers:
  description: The other servers, each with C(name), C(uuid) and C(connected).
  type: list
  elements: dict
  returned: success
bricks:
  description: Each with C(name), C(arbiter), C(online), and in bytes C(size) and C(free), which are null when its server does not answer.
  type: list
  elements: dict
  returned: success
heal_pending:
  description: Files to be healed. Null when not every brick could say.
  type: int
  returned: success
split_brain:
  description: Files without a copy that is known to be right.
  type: list
  elements: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError
from ..module_utils.storage.gluster_client import Gluster
from ..module_utils.storage.health import findings, pending, verdict


def brick_facts(seen):
    """Every declared brick, whether its process was seen or not."""
    facts = []
    for brick in seen.volume.bricks if seen.volume else ():
        process = seen.processes.get(brick.name)
        facts.append(
            {
                "name": brick.name,
                "arbiter": brick.arbiter,
                "online": bool(process and process.online),
                "size": process.size if process and process.size else None,
                "free": process.free if process and process.size else None,
            }
        )
    return facts


def result(seen, min_free):
    """What was seen and the verdict over it."""
    found = findings(seen, min_free)
    word = verdict(found)
    return {
        "verdict": word,
        "findings": [{"kind": one.kind, "where": one.where, "text": one.text} for one in found],
        "text": "{0} is {1}".format(seen.name, word) + "".join("; " + one.text for one in found),
        "started": seen.volume.started if seen.volume else None,
        "peers": [
            {"name": "/".join(peer.names), "uuid": peer.uuid, "connected": peer.connected and peer.member}
            for peer in seen.peers
        ],
        "bricks": brick_facts(seen),
        "heal_pending": pending(seen.backlog),
        "split_brain": sorted({file for one in (seen.split or {}).values() for file in one.files}),
    }


def main():
    """Read the arguments, look once, answer."""
    module = AnsibleModule(
        {
            "volume": {"type": "str", "required": True},
            "min_free": {"type": "float", "default": 0.1},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    given = module.params
    if not 0 <= given["min_free"] < 1:
        module.fail_json(msg="min_free is a fraction from 0 to 1, not {0}".format(given["min_free"]))
    try:
        seen = Gluster(module.run_command, given["timeout"]).look(given["volume"])
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    module.exit_json(changed=False, **result(seen, given["min_free"]))


if __name__ == "__main__":
    main()

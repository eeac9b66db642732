#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vip_handover
short_description: Lets this host give a virtual IP to its standby
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Tells keepalived, by a file that it tracks, not to hold the address for some seconds. keepalived says so with an advertisement of priority 0, and the
    standby takes over after its skew alone. Does not look at the standby; M(steadfast.ai_platform.vip_failover) does.
  - The host takes the word back by itself, so that a controller that dies in between leaves nothing behind.
options:
  address:
    description: The virtual IP, without its prefix length.
    type: str
    required: true
  seconds:
    description: How long this host does not hold it, 1 to 60. Longer than the standby needs, then it may stand by again.
    type: float
    default: 3
  reason:
    description: Why, for the system's journal.
    type: str
    default: ""
  run_folder:
    description: Folder of the files that tell keepalived to let go.
    type: path
    default: /run/steadfast/vrrp
attributes:
  check_mode:
    description: Says whether the address would be given away, and does nothing.
    support: full
seealso:
  - module: steadfast.ai_platform.vip_failover
"""

EXAMPLES = r"""
- name: Give the virtual IP away
  steadfast.ai_platform.vip_handover:
    address: 192.0.2.100
    reason: new kernel
"""

RETURN = r"""
waited:
  description: Seconds until this host no longer had the address.
  type: float
  returned: changed
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError
from ..module_utils.vrrp.addresses import interface_of

# Written beside the file and moved, since keepalived reads it whenever it changes.
SCRIPT = """
say() { printf '%s\\n' "$2" > "$1.new" && mv "$1.new" "$1"; }
say "$1" 1; sleep "$2"; say "$1" 0
"""


def holds(module):
    """Whether this host has the address."""
    code, out, err = module.run_command(["ip", "-json", "address", "show"])
    if code:
        module.fail_json(msg="`ip -json address show` failed: {0}".format(err.strip()[:400]))
    try:
        return interface_of(module.params["address"], out) is not None
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)


def let_go(module, path):
    """Give it away, and wait until it is gone."""
    given = module.params
    program = ["/bin/sh", "-c", SCRIPT, "handover", path, "{0:g}".format(given["seconds"])]
    argv = [
        "systemd-run",
        "--quiet",
        "--collect",
        "--unit=steadfast-handover-" + given["address"],
        "--description",
        "Hand over: " + given["reason"],
    ]
    began = time.monotonic()
    code, out, err = module.run_command([*argv, *program])
    if code:
        module.fail_json(
            msg="the handover could not be begun (is another one going on?): {0}".format((err or out).strip()[:400])
        )
    while holds(module):
        if time.monotonic() - began >= given["seconds"]:
            module.fail_json(
                msg="{0} is still held after {1:g} s: is keepalived running? See journalctl -u keepalived".format(
                    given["address"], given["seconds"]
                )
            )
        time.sleep(0.02)
    module.exit_json(changed=True, waited=round(time.monotonic() - began, 3))


def main():
    """Check, and give away."""
    spec = {
        "address": {"type": "str", "required": True},
        "seconds": {"type": "float", "default": 3},
        "reason": {"type": "str", "default": ""},
        "run_folder": {"type": "path", "default": "/run/steadfast/vrrp"},
    }
    module = AnsibleModule(spec, supports_check_mode=True)
    given = module.params
    if not 1 <= given["seconds"] <= 60:
        module.fail_json(msg="seconds must be from 1 to 60, not {0:g}".format(given["seconds"]))
    if not holds(module):
        module.exit_json(changed=False)
    path = os.path.join(given["run_folder"], "handover-" + given["address"])
    if not os.path.isfile(path):
        module.fail_json(msg="keepalived does not track {0}: run site.yml first. Nothing was changed.".format(path))
    if module.check_mode:
        module.exit_json(changed=True)
    let_go(module, path)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vip_info
short_description: Tells whether this host holds a virtual IP
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Reads the addresses of this host from the kernel. Changes nothing.
options:
  address:
    description: The virtual IP, without its prefix length.
    type: str
    required: true
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
"""

EXAMPLES = r"""
- name: Ask who holds the virtual IP
  steadfast.ai_platform.vip_info:
    address: 192.0.2.100
  register: vip
"""

RETURN = r"""
holder:
  description: Whether this host holds it.
  type: bool
  returned: success
interface:
  description: Name of the interface that has it. Null when none has.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError
from ..module_utils.vrrp.addresses import interface_of


def main():
    """Read, and answer."""
    module = AnsibleModule({"address": {"type": "str", "required": True}}, supports_check_mode=True)
    code, out, err = module.run_command(["ip", "-json", "address", "show"])
    if code:
        module.fail_json(msg="`ip -json address show` failed: {0}".format(err.strip()[:400]))
    try:
        interface = interface_of(module.params["address"], out)
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    module.exit_json(changed=False, holder=interface is not None, interface=interface)


if __name__ == "__main__":
    main()

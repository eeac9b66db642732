#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vip_info
short_description: Tells whether this host holds a virtual IP, and since when
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Reads the addresses of this host from the kernel, what keepalived has told of its state, and the configuration of the balancer. Changes nothing.
  - What is not there is null, since a host may hold an address without keepalived having said so.
options:
  address:
    description: The virtual IP, without its prefix length.
    type: str
    required: true
  state_folder:
    description: Folder where the notifications of keepalived keep the state.
    type: path
    default: /var/lib/steadfast/vrrp
  run_folder:
    description: Folder of the files that tell keepalived to let go.
    type: path
    default: /run/steadfast/vrrp
  config:
    description: HAProxy's configuration.
    type: path
    default: /etc/haproxy/haproxy.cfg
  served_config:
    description: The copy of the configuration that was loaded last.
    type: path
    default: /run/haproxy.loaded.cfg
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
seealso:
  - module: steadfast.ai_platform.vip_failover
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
vrrp:
  description: What keepalived told last. Null when it never did.
  type: dict
  returned: success
  contains:
    state:
      description: MASTER, BACKUP, FAULT or STOP.
      type: str
    priority:
      description: Its priority.
      type: int
    since:
      description: When it came into this state, seconds since 1970.
      type: float
    transitions:
      description: Changes of state so far.
      type: int
    history:
      description: The last ten of them.
      type: list
      elements: dict
let_go:
  description: Why this host was told not to hold the address, C(handover) or C(quorum).
  type: list
  elements: str
  returned: success
config:
  description: SHA-256 of the balancer's configuration but for its own name; equal on balancers that are configured alike. Null without one.
  type: str
  returned: success
served_config:
  description: The same of the configuration that was loaded last.
  type: str
  returned: success
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError
from ..module_utils.vrrp.addresses import interface_of
from ..module_utils.vrrp.keepalived import fingerprint, remembered

MAX_FILE = 16 * 1024 * 1024
REASONS = ("handover", "quorum")


def text_of(path):
    """A file's text; None when there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read(MAX_FILE)
    except FileNotFoundError:
        return None


def reasons(folder, address):
    """Why this host was told to let the address go: the files of that name that say something else than 0."""
    files = {reason: os.path.join(folder, "{0}-{1}".format(reason, address)) for reason in REASONS}
    return [reason for reason, path in files.items() if (text_of(path) or "0").strip() != "0"]


def main():
    """Read, and answer."""
    spec = {
        "address": {"type": "str", "required": True},
        "state_folder": {"type": "path", "default": "/var/lib/steadfast/vrrp"},
        "run_folder": {"type": "path", "default": "/run/steadfast/vrrp"},
        "config": {"type": "path", "default": "/etc/haproxy/haproxy.cfg"},
        "served_config": {"type": "path", "default": "/run/haproxy.loaded.cfg"},
    }
    module = AnsibleModule(spec, supports_check_mode=True)
    given = module.params
    code, out, err = module.run_command(["ip", "-json", "address", "show"])
    if code:
        module.fail_json(msg="`ip -json address show` failed: {0}".format(err.strip()[:400]))
    try:
        interface = interface_of(given["address"], out)
        state = text_of(os.path.join(given["state_folder"], given["address"] + ".json"))
        vrrp = None if state is None else remembered(state)
        configs = {name: text_of(given[name]) for name in ("config", "served_config")}
        let_go = reasons(given["run_folder"], given["address"])
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    except OSError as error:
        module.fail_json(msg="{0} cannot be read: {1}".format(error.filename, error.strerror))
    prints = {name: None if text is None else fingerprint(text) for name, text in configs.items()}
    module.exit_json(
        changed=False, holder=interface is not None, interface=interface, vrrp=vrrp, let_go=let_go, **prints
    )


if __name__ == "__main__":
    main()

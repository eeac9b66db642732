#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_ledger_info
short_description: Reads one host's copy of a pool's ledger
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Returns the lease as this host has granted it and the journal as this host has it. Changes nothing.
  - Fails when the journal is damaged before its last record, since nothing is guessed; a torn last record is dropped and said.
options:
  pool:
    description: Name of the pool.
    type: str
    required: true
  folder:
    description: Folder of the ledgers, one folder for each pool in it.
    type: path
    default: /var/lib/steadfast/ledger
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
seealso:
  - module: steadfast.ai_platform.rollout_ledger
"""

EXAMPLES = r"""
- name: Read the ledger
  steadfast.ai_platform.rollout_ledger_info:
    pool: serving
"""

RETURN = r"""
lease:
  description: Fencing number, owner, run, and the seconds that are left, by this host's uptime.
  type: dict
  returned: success
journal:
  description: The records, one line each.
  type: list
  elements: str
  returned: success
torn:
  description: Whether the last record was torn and left out.
  type: bool
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError
from ..module_utils.ledger.store import Store, now


def main():
    """Read, and answer."""
    spec = {
        "pool": {"type": "str", "required": True},
        "folder": {"type": "path", "default": "/var/lib/steadfast/ledger"},
    }
    module = AnsibleModule(spec, supports_check_mode=True)
    store = Store(module.params["folder"], module.params["pool"])
    try:
        lease = store.lease()
        records, torn = store.records()
        left = lease.left(now())
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    module.exit_json(
        changed=False,
        lease={"fence": lease.fence, "owner": lease.owner, "run": lease.run, "left": left},
        journal=[record.line() for record in records],
        torn=torn,
    )


if __name__ == "__main__":
    main()

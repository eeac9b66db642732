#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_ledger
short_description: Writes one host's copy of a pool's ledger
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Takes, holds and gives back the lease on a pool, and appends records to its journal, on one ledger host. What a majority of the ledger
    hosts has taken is valid; M(steadfast.ai_platform.rollout_step) asks them all.
  - Runs on the ledger host. Needs no other software there.
options:
  pool:
    description: Name of the pool.
    type: str
    required: true
  folder:
    description: Folder of the ledgers, one folder for each pool in it.
    type: path
    default: /var/lib/steadfast/ledger
  action:
    description:
      - V(take) takes the lease under a newer fencing number. V(append) adds O(records) and holds the lease longer. V(release) gives it back.
    type: str
    choices: [take, append, release]
    required: true
  owner:
    description: Who writes. Different for each run.
    type: str
    required: true
  run:
    description: Id of the run, with O(action=take).
    type: str
    default: ""
  fence:
    description: Fencing number of the writer. A write under an older one than this host has granted is refused.
    type: int
    required: true
  ttl:
    description: Seconds until the lease runs out unless it is held longer.
    type: float
    default: 60
  records:
    description: Lines of the journal. With O(action=take) they replace a copy that is behind.
    type: list
    elements: str
attributes:
  check_mode:
    description: In check mode nothing is written and nothing is promised.
    support: full
seealso:
  - module: steadfast.ai_platform.rollout_ledger_info
"""

EXAMPLES = r"""
- name: Hold the lease for another minute
  steadfast.ai_platform.rollout_ledger:
    pool: serving
    action: append
    owner: alice@ops1 4711
    fence: 7
"""

RETURN = r"""
left:
  description: Seconds until the lease runs out.
  type: float
  returned: success
held_by:
  description: Who holds the pool instead.
  type: str
  returned: when the lease is another's
expired:
  description: The lease has run out, and what it protected may have been given back.
  type: bool
  returned: when it has
behind:
  description: This copy lacks records, or has others; V(take) with all O(records) repairs it.
  type: bool
  returned: when it is
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError
from ..module_utils.ledger.store import Store, now


def write(store, params):
    """Carry out the action; the seconds that the lease has left."""
    who = (params["owner"], params["fence"])
    if params["action"] == "release":
        store.release(*who)
        return 0.0
    if params["action"] == "take":
        lease = store.take(params["owner"], params["run"], params["fence"], params["ttl"], params["records"])
    else:
        lease = store.append(params["owner"], params["fence"], params["ttl"], params["records"] or [])
    return lease.left(now())


def main():
    """Write, and answer."""
    spec = {
        "pool": {"type": "str", "required": True},
        "folder": {"type": "path", "default": "/var/lib/steadfast/ledger"},
        "action": {"type": "str", "choices": ["take", "append", "release"], "required": True},
        "owner": {"type": "str", "required": True},
        "run": {"type": "str", "default": ""},
        "fence": {"type": "int", "required": True},
        "ttl": {"type": "float", "default": 60},
        "records": {"type": "list", "elements": "str"},
    }
    module = AnsibleModule(spec, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=True, left=0.0)
    try:
        left = write(Store(module.params["folder"], module.params["pool"]), module.params)
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    module.exit_json(changed=True, left=left)


if __name__ == "__main__":
    main()

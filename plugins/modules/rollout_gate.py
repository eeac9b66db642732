#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_gate
short_description: Watches new servers at a balancer and gives a verdict with its numbers
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - For O(bake_time) seconds looks at the servers as HAProxy sees them, once a second. Fails at the first sign of ill health (not UP, gone
    DOWN in between, more errors than allowed) and passes otherwise.
  - Runs on the balancer. Changes nothing.
options:
  backend:
    description: Name of the backend, which is the name of the pool.
    type: str
    required: true
  servers:
    description: Names of the servers to watch.
    type: list
    elements: str
    required: true
  bake_time:
    description: Seconds that the servers must stay healthy. With V(0) they are judged once, over the time since O(baseline).
    type: float
    default: 30
  baseline:
    description: RV(counters) of an earlier call at this balancer. Left out, counting begins now.
    type: dict
  max_error_percent:
    description: Share of a server's answers that may be errors (5xx, failed connections, broken answers).
    type: float
    default: 1.0
extends_documentation_fragment:
  - steadfast.ai_platform.haproxy
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
"""

EXAMPLES = r"""
- name: Bake gpu1 under real traffic
  steadfast.ai_platform.rollout_gate:
    backend: serving
    servers: [gpu1]
    bake_time: 30
"""

RETURN = r"""
verdict:
  description: V(pass) or V(fail).
  type: str
  returned: always
evidence:
  description: For each server its status, and requests, errors and times DOWN during the bake.
  type: dict
  returned: always
reasons:
  description: Why the verdict is V(fail).
  type: list
  elements: str
  returned: always
counters:
  description: Counters at the end, for the O(baseline) of a later call.
  type: dict
  returned: always
"""

import time
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError
from ..module_utils.haproxy.admin import Wanted
from ..module_utils.haproxy.arguments import haproxy_arguments
from ..module_utils.haproxy.client import MasterSocket
from ..module_utils.haproxy.control import Balancer
from ..module_utils.haproxy.records import Counters
from ..module_utils.rollout.gate import judge


def read(balancer, wanted):
    """The watched servers of the current worker, and their counters."""
    worker, view = balancer.serving()
    wanted.check(view)
    servers = {name: view[(wanted.backend, name)] for name in wanted.servers}
    return servers, {name: Counters.of(worker.pid, server) for name, server in servers.items()}


def watch(balancer, wanted, params):
    """Judge again and again until the bake is over or the verdict is a fail. Returns it with the last counters."""
    servers, counters = read(balancer, wanted)
    before = (
        {name: Counters(**values) for name, values in params["baseline"].items()} if params["baseline"] else counters
    )
    end = time.monotonic() + params["bake_time"]
    while True:
        verdict = judge(servers, counters, before, params["max_error_percent"])
        left = end - time.monotonic()
        if verdict.reasons or left <= 0:
            return verdict, counters
        time.sleep(min(1.0, left))
        servers, counters = read(balancer, wanted)


def main():
    """Watch, and answer."""
    spec = dict(
        haproxy_arguments(),
        backend={"type": "str", "required": True},
        servers={"type": "list", "elements": "str", "required": True},
        bake_time={"type": "float", "default": 30},
        baseline={"type": "dict"},
        max_error_percent={"type": "float", "default": 1.0},
    )
    module = AnsibleModule(spec, supports_check_mode=True)
    params = module.params
    balancer = Balancer(MasterSocket(params["socket"], params["timeout"]), state_file=None)
    try:
        verdict, counters = watch(balancer, Wanted(params["backend"], tuple(params["servers"])), params)
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    result = {
        "verdict": verdict.verdict,
        "reasons": verdict.reasons,
        "evidence": verdict.evidence,
        "counters": {name: asdict(values) for name, values in counters.items()},
    }
    if verdict.reasons:
        module.fail_json(msg="bake failed: {0}".format("; ".join(verdict.reasons)), **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_info
short_description: Reads servers and workers of a HAProxy balancer
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Reads admin state, health, weight and traffic of every server from the current HAProxy worker, and the traffic that workers
    left behind by a reload still carry. Changes nothing.
options:
  backend:
    description: Backend to read. Left out, all of them.
    type: str
extends_documentation_fragment:
  - steadfast.ai_platform.haproxy
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
seealso:
  - module: steadfast.ai_platform.haproxy_server
"""

EXAMPLES = r"""
- name: Read the pool at this balancer
  steadfast.ai_platform.haproxy_info:
    backend: serving
  register: balancer
"""

RETURN = r"""
version:
  description: HAProxy's version line.
  type: str
  returned: always
workers:
  description: The workers, current and old.
  type: list
  elements: dict
  returned: always
  sample: [{pid: 431, current: true}]
tables:
  description: Peers that share tables with this balancer, and whether each one's connection stands.
  type: dict
  returned: always
  sample: {lb2: true}
backends:
  description: For each backend its servers.
  type: dict
  returned: always
  contains:
    state:
      description: Admin state, from the admin bits (ready, drain or maint).
      type: str
    up:
      description: Whether it takes new requests and passes its checks.
      type: bool
    status:
      description: HAProxy's own status text.
      type: str
    check:
      description: Result of the last health check.
      type: str
    weight:
      description: Weight that it was given.
      type: int
    share:
      description: Weight now; a load agent lowers it.
      type: int
    sessions:
      description: Requests running at it, over all workers.
      type: int
    queue:
      description: Requests queued for it, over all workers.
      type: int
    since:
      description: Seconds since its status last changed.
      type: int
    total:
      description: Requests sent to it since the current worker began.
      type: int
    counters:
      description:
        - What the current worker, whose process id is in it, counted since it began (C(requests), C(errors), times C(downs)), and its moving
          averages in milliseconds (C(queue_ms), C(response_ms)).
      type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError
from ..module_utils.haproxy.admin import Wanted, traffic
from ..module_utils.haproxy.arguments import haproxy_arguments
from ..module_utils.haproxy.client import MasterSocket
from ..module_utils.haproxy.control import Balancer


def shown(server, views, worker):
    """One server as the result shows it; traffic is summed over all workers."""
    carried = traffic(Wanted(server.backend, (server.name,)), views)
    return {
        "address": server.address,
        "state": server.admin_state,
        "up": server.up,
        "status": server.status,
        "check": server.check_status,
        "weight": server.own_weight,
        "share": server.weight,
        "sessions": carried.sessions,
        "queue": carried.queue,
        "since": server.last_change,
        "total": server.total,
        "counters": server.counters(worker.pid),
    }


def main():
    """Read, and answer."""
    spec = dict(haproxy_arguments(), backend={"type": "str"})
    module = AnsibleModule(spec, supports_check_mode=True)
    socket = MasterSocket(module.params["socket"], module.params["timeout"])
    try:
        views = Balancer(socket, state_file=None).everyone()
        worker, current = next((worker, view) for worker, view in views.items() if worker.current)
        backends = {}
        for (backend, name), server in sorted(current.items()):
            backends.setdefault(backend, {})[name] = shown(server, views, worker)
        only = module.params["backend"]
        if only is not None:
            Wanted(only, ()).check(current)
            backends = {only: backends[only]}
        version, tables = socket.version(), socket.tables(worker)
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    listed = [{"pid": worker.pid, "current": worker.current} for worker in views]
    module.exit_json(changed=False, version=version, workers=listed, tables=tables, backends=backends)


if __name__ == "__main__":
    main()

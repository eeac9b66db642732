#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_server
short_description: Takes servers of a HAProxy backend out of traffic and back in, with proof
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Sets the admin state and the weight of any number of servers of one backend in one call, in every HAProxy worker
    (the current one and those that a reload left behind), reads them back from the admin bits, and can wait for the effect.
  - Runs on the balancer itself and talks to the master socket.
  - What it sets is saved to O(state_file), so that it survives a reload, a crash and a restart of HAProxy.
options:
  backend:
    description: Name of the backend, which is the name of the pool.
    type: str
    required: true
  servers:
    description: Names of the servers.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(drain) sends no new requests to the servers; running ones go on, and health checks too.
      - V(maint) is out of traffic without health checks.
      - V(ready) is in traffic. With O(wait=healthy) a server that was out comes back by probation, which is V(drain) until
        its checks have passed and only then V(ready), because a server put from V(maint) straight to V(ready) shows UP before a
        single check has run.
      - Left out, the state is not touched.
    type: str
    choices: [ready, drain, maint]
  weight:
    description: Weight to set, from 0 to 256. It is set before the servers return to traffic. Left out, it is not touched.
    type: int
  wait:
    description:
      - V(drained) waits until no request runs at the servers or is queued for them in any worker. With O(state=maint) the
        servers drain first and go to maintenance when they are empty.
      - V(healthy) waits until the servers pass their health checks; with O(state=ready), until they are UP.
    type: str
    choices: [none, drained, healthy]
    default: none
  deadline:
    description: Seconds that O(wait) may take.
    type: float
    default: 300
  on_deadline:
    description:
      - What to do with requests still open at the deadline of O(wait=drained). V(fail) changes nothing more and fails;
        V(continue) goes on and reports them in RV(open_requests).
    type: str
    choices: [fail, continue]
    default: fail
  min_available:
    description:
      - Capacity floor. Before servers leave traffic, at least this many others of the backend must be admitted and healthy
        here; the module waits O(capacity_deadline) for that, then refuses. V(0) asks for none.
    type: int
    default: 0
  capacity_deadline:
    description: Seconds to wait for the capacity floor before refusing.
    type: float
    default: 60
  state_file:
    description:
      - File that HAProxy loads server states from when it starts (C(server-state-file)). An empty string saves nothing.
    type: str
    default: /var/lib/haproxy/server-state
extends_documentation_fragment:
  - steadfast.ai_platform.haproxy
attributes:
  check_mode:
    description: Can run in check mode and say what would change. It does not wait then.
    support: full
  diff_mode:
    description: Shows state and weight before and after.
    support: full
seealso:
  - module: steadfast.ai_platform.haproxy_info
"""

EXAMPLES = r"""
- name: Drain gpu1 on every balancer, standby first, and wait until it is empty
  steadfast.ai_platform.haproxy_server:
    backend: serving
    servers: [gpu1]
    state: maint
    wait: drained
    deadline: 300
    min_available: 2
  delegate_to: "{{ item }}"
  loop: [lb2, lb1]

- name: Bring it back by probation
  steadfast.ai_platform.haproxy_server:
    backend: serving
    servers: [gpu1]
    state: ready
    wait: healthy
"""

RETURN = r"""
servers:
  description: State and weight of each server in the current worker, at the end.
  type: dict
  returned: always
  sample:
    gpu1: {state: maint, status: MAINT, weight: 1, sessions: 0}
open_requests:
  description: Requests still running at the servers or queued for them when the wait ended.
  type: int
  returned: when O(wait=drained)
seconds_to_drain:
  description: Seconds until nothing ran or waited at the servers, or until the deadline.
  type: float
  returned: when O(wait=drained)
workers:
  description: Process ids of the HAProxy workers that were asked, old ones too.
  type: list
  elements: int
  returned: when O(wait=drained)
remaining:
  description: The servers that stay admitted and healthy without these.
  type: list
  elements: str
  returned: when O(min_available) is asked for
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import DeadlineExceeded, PlatformError
from ..module_utils.haproxy.admin import Wanted
from ..module_utils.haproxy.arguments import haproxy_arguments
from ..module_utils.haproxy.client import MasterSocket
from ..module_utils.haproxy.control import Balancer


def argument_spec():
    """Options, as documented above."""
    return dict(
        haproxy_arguments(),
        backend={"type": "str", "required": True},
        servers={"type": "list", "elements": "str", "required": True},
        state={"type": "str", "choices": ["ready", "drain", "maint"]},
        weight={"type": "int"},
        wait={"type": "str", "choices": ["none", "drained", "healthy"], "default": "none"},
        deadline={"type": "float", "default": 300},
        on_deadline={"type": "str", "choices": ["fail", "continue"], "default": "fail"},
        min_available={"type": "int", "default": 0},
        capacity_deadline={"type": "float", "default": 60},
        state_file={"type": "str", "default": "/var/lib/haproxy/server-state"},
    )


def shown(wanted, view):
    """The wanted servers as the task result shows them."""
    return {
        name: {
            "state": server.admin_state,
            "status": server.status,
            "weight": server.own_weight,
            "sessions": server.sessions,
        }
        for name, server in ((name, view[(wanted.backend, name)]) for name in wanted.servers)
    }


def diff_text(servers):
    """One line a server: state and weight, which is what this module sets."""
    return "".join("{0}: {1}, weight {2}\n".format(n, s["state"], s["weight"]) for n, s in sorted(servers.items()))


def carry_out(balancer, wanted, before, params, result):
    """Go through the steps to the wanted state, each with its wait. True when something changed, and the last view."""
    changed, view = False, before
    for step, wait in wanted.steps(before, params["wait"]):
        moved, views = balancer.apply(step)
        changed = moved or changed
        view = next(seen for worker, seen in views.items() if worker.current)
        if wait == "healthy":
            view = balancer.wait_healthy(step, params["deadline"])
        if wait == "drained":
            sample, seconds = balancer.wait_drained(step, params["deadline"])
            view = balancer.current()
            result.update(open_requests=sample.open, seconds_to_drain=round(seconds, 3), workers=list(sample.workers))
            if sample.open and params["on_deadline"] == "fail":
                raise DeadlineExceeded(
                    "{0} still carries {1} requests after {2:g} s of drain".format(
                        ", ".join(step.servers), sample.open, params["deadline"]
                    )
                )
    return changed, view


def main():
    """Read the arguments, act once, answer."""
    module = AnsibleModule(argument_spec(), supports_check_mode=True)
    params = module.params
    wanted = Wanted(params["backend"], tuple(params["servers"]), params["state"], params["weight"])
    balancer = Balancer(MasterSocket(params["socket"], params["timeout"]), params["state_file"] or None)
    result = {}
    try:
        before = balancer.current()
        wanted.check(before)
        if params["min_available"] and wanted.leaves(before):
            deadline = 0 if module.check_mode else params["capacity_deadline"]
            result["remaining"] = balancer.wait_capacity(wanted, params["min_available"], deadline)
        if module.check_mode:
            changed = bool(wanted.commands(before))
            after = {
                name: dict(
                    old,
                    state=wanted.state or old["state"],
                    weight=old["weight"] if wanted.weight is None else wanted.weight,
                )
                for name, old in shown(wanted, before).items()
            }
        else:
            changed, view = carry_out(balancer, wanted, before, params, result)
            after = shown(wanted, view)
    except PlatformError as error:
        module.fail_json(msg=error.message, **dict(result, **error.evidence))
    diff = {"before": diff_text(shown(wanted, before)), "after": diff_text(after)}
    module.exit_json(changed=changed, servers=after, diff=diff, **result)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vip_probe
short_description: Asks through a virtual IP, and counts what is answered
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Sends GET requests from this host at a fixed rate, each on a connection of its own, for a bounded time. Changes nothing, and judges nothing.
options:
  address:
    description: The virtual IP.
    type: str
    required: true
  port:
    description: TCP port of a pool.
    type: int
    required: true
  path:
    description: Path that is answered 200 when the pool serves.
    type: str
    default: /health
  tls:
    description: Whether the port speaks TLS. The certificate is not verified.
    type: bool
    default: false
  seconds:
    description: How long to ask, 600 at most. 0 asks once.
    type: float
    default: 0
  rate:
    description: Requests a second, 200 at most.
    type: float
    default: 50
  timeout:
    description: Seconds that connecting may take, and each part of an answer. Longer than a second, or the kernel has no time to send a lost packet again.
    type: float
    default: 3
attributes:
  check_mode:
    description: Asks, in check mode or not.
    support: full
"""

EXAMPLES = r"""
- name: Ask the pool for ten seconds
  steadfast.ai_platform.vip_probe:
    address: 192.0.2.100
    port: 8080
    seconds: 10
  delegate_to: witness1
"""

RETURN = r"""
requests:
  description: Requests that were sent.
  type: int
  returned: success
unanswered:
  description: Requests without an answer 200.
  type: int
  returned: success
unconnected:
  description: Those of them that got no connection at all.
  type: int
  returned: success
problems:
  description: What was wrong, each reason with its number.
  type: dict
  returned: success
gap:
  description: Seconds between two good answers, at most.
  type: float
  returned: success
"""

from collections import Counter

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.vrrp.probe import ask, longest_gap, probe

LIMITS = {"seconds": (0, 600), "rate": (0.1, 200), "timeout": (0.1, 30)}


def main():
    """Ask, and count."""
    spec = {
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "required": True},
        "path": {"type": "str", "default": "/health"},
        "tls": {"type": "bool", "default": False},
        "seconds": {"type": "float", "default": 0},
        "rate": {"type": "float", "default": 50},
        "timeout": {"type": "float", "default": 3},
    }
    module = AnsibleModule(spec, supports_check_mode=True)
    given = module.params
    for name, (low, high) in LIMITS.items():
        if not low <= given[name] <= high:
            module.fail_json(msg="{0} must be from {1} to {2}, not {3}".format(name, low, high, given[name]))
    url = ("https" if given["tls"] else "http", given["address"], given["port"], given["path"])
    asked = probe(lambda: ask(url, given["timeout"]), given["seconds"], given["rate"])
    problems = Counter(one.problem for one in asked if one.problem is not None)
    module.exit_json(
        changed=False,
        requests=len(asked),
        unanswered=sum(problems.values()),
        unconnected=sum(not one.connected for one in asked),
        problems=dict(problems.most_common(5)),
        gap=round(longest_gap(asked), 3),
    )


if __name__ == "__main__":
    main()

#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: model_release_info
short_description: Reads the releases on a model server
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Lists the releases staged for a pool on this node, and says which one is active and whether its unit runs. Changes nothing.
options:
  pool:
    description: Name of the pool.
    type: str
    required: true
  root:
    description: Folder of all pools.
    type: path
    default: /srv/models
  unit:
    description: The systemd unit of the pool.
    type: str
    required: true
  port:
    description: TCP port of the engine. When it is given, the engine is asked how busy it is.
    type: int
  timeout:
    description: Seconds that the engine may take to answer.
    type: float
    default: 5
  api_key:
    description: Bearer token for the engine.
    type: str
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
seealso:
  - module: steadfast.ai_platform.model_release
"""

EXAMPLES = r"""
- name: Read what runs here
  steadfast.ai_platform.model_release_info:
    pool: serving
    unit: model-server-serving.service
  register: node
"""

RETURN = r"""
active:
  description: Name of the active release. Null when there is none.
  type: str
  returned: always
staged:
  description: Names of the staged releases.
  type: list
  elements: str
  returned: always
questions:
  description: For each staged release what to ask an engine to prove that it serves it, the name that only it answers to among that.
  type: dict
  returned: always
running:
  description: Whether the unit runs.
  type: bool
  returned: always
restarts:
  description: How often systemd has started it anew after it failed.
  type: int
  returned: always
load:
  description:
    - What the engine says of itself. C(running) is the number of requests that run or wait, C(progress) a number that rises while it works. Null
      where it does not say.
  type: dict
  returned: when O(port) is given
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.engine.client import Engine
from ..module_utils.engine.load import load
from ..module_utils.engine.shelf import Shelf
from ..module_utils.engine.unit import Unit
from ..module_utils.errors import PlatformError


def main():
    """Read, and answer."""
    spec = {
        "pool": {"type": "str", "required": True},
        "root": {"type": "path", "default": "/srv/models"},
        "unit": {"type": "str", "required": True},
        "port": {"type": "int"},
        "timeout": {"type": "float", "default": 5},
        "api_key": {"type": "str", "no_log": True},
    }
    module = AnsibleModule(spec, supports_check_mode=True)
    params = module.params
    shelf = Shelf(params["root"], params["pool"])
    state = Unit(params["unit"], module.run_command).show()
    result = {
        "active": shelf.active(),
        "staged": shelf.names(),
        "running": state.get("ActiveState") == "active",
        "restarts": int(state.get("NRestarts") or 0),
    }
    try:
        releases = {name: shelf.read(name) for name in shelf.names()}
        result["questions"] = {name: asdict(release.question()) for name, release in releases.items()}
        if params["port"] and result["active"] in releases:
            engine = Engine("http://127.0.0.1:{0}".format(params["port"]), params["timeout"], params["api_key"])
            result["load"] = load(engine, releases[result["active"]])
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()

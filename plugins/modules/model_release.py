#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: model_release
short_description: Stages releases on a model server and switches between them, with proof
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - A release is what a model server should run (engine and its version, model artifact, arguments). It is immutable, and several lie
    side by side in C(<root>/<pool>/releases).
  - V(staged) verifies the artifact by sha256 and puts the release beside the others, whole or not at all, while the active one serves.
  - V(active) waits for running requests, stops the engine, switches atomically, starts it, and proves it with a real completion.
    When the proof fails, the release that was active before is started and proved again, and the module fails with the reason.
  - It does not touch any balancer. Take the server out of traffic first.
options:
  pool:
    description: Name of the pool.
    type: str
    required: true
  name:
    description: Name of the release.
    type: str
    required: true
  state:
    description:
      - V(staged) puts the release on the node.
      - V(active) makes a staged release the one that runs.
      - V(absent) removes a release that is not active.
    type: str
    choices: [staged, active, absent]
    required: true
  root:
    description: Folder of all pools.
    type: path
    default: /srv/models
  definition:
    description: The release. Required with O(state=staged).
    type: dict
    suboptions:
      model:
        description: Name by which clients ask for the model.
        type: str
        required: true
      identity:
        description: A name that the engine also answers to and that only this release has.
        type: str
        required: true
      engine:
        description: Name of the engine profile.
        type: str
        required: true
      engine_version:
        description: Version of the engine.
        type: str
        required: true
      artifact:
        description: File name of the model artifact inside the release.
        type: str
        required: true
      sha256:
        description: Digest of the artifact, 64 hexadecimal digits.
        type: str
        required: true
      command:
        description:
          - Program and arguments. A word such as V($MODEL_SERVER_PORT) is taken from the unit's environment.
        type: list
        elements: str
        required: true
      ready_path:
        description: Path that answers 200 when the engine can serve.
        type: str
        default: /health
      models_path:
        description: Path that lists the served names.
        type: str
        default: /v1/models
      completion_path:
        description: Path of the completion that proves the engine; a path that ends in C(/chat/completions) gets messages, others a prompt.
        type: str
        default: /v1/completions
      metrics_path:
        description: Path of the engine's Prometheus metrics.
        type: str
        default: /metrics
      running_metrics:
        description: Metrics whose sum is the number of requests that run or wait in the engine.
        type: list
        elements: str
        default: []
      progress_metrics:
        description: Metrics whose sum rises while the engine works. One that has requests and makes no progress is hung.
        type: list
        elements: str
        default: []
      start_deadline:
        description: Seconds that the engine may take to become ready.
        type: float
        default: 600
  source:
    description: Artifact on the node. Required with O(state=staged) unless the release is staged already.
    type: path
  take:
    description:
      - V(copy) copies O(source), V(move) takes it away from where it lies, which must be on the file system of O(root).
      - V(link) gives it a second name, which costs no space; where that is not possible, it is copied. V(symlink) leaves it where it lies, and the
        engine reads it there.
    type: str
    choices: [copy, move, link, symlink]
    default: copy
  verify:
    description:
      - Read the artifact of a release that is staged already and compare its digest. Costs one pass over the file.
      - One that is not as declared is replaced when there is a good one at O(source), and an error otherwise.
    type: bool
    default: true
  keep:
    description: Releases to keep beside the active one. Older ones are pruned when a release is staged.
    type: int
    default: 2
  unit:
    description: The systemd unit of the pool. Required with O(state=active).
    type: str
  port:
    description: TCP port of the engine. Required with O(state=active).
    type: int
  timeout:
    description: Seconds that one request to the engine may take.
    type: float
    default: 30
  idle_deadline:
    description: Seconds to wait for running requests before the engine is stopped.
    type: float
    default: 30
  api_key:
    description: Bearer token for the engine.
    type: str
attributes:
  check_mode:
    description: Can run in check mode and say what would change.
    support: full
  diff_mode:
    description: Shows the staged and the active releases before and after.
    support: full
seealso:
  - module: steadfast.ai_platform.model_release_info
  - module: steadfast.ai_platform.model_probe
"""

EXAMPLES = r"""
- name: Make release r2 the active one
  steadfast.ai_platform.model_release:
    pool: serving
    name: r2
    state: active
    unit: model-server-serving.service
    port: 8000
"""

RETURN = r"""
active:
  description: Name of the active release, at the end.
  type: str
  returned: always
proof:
  description: The steps of the proof, each with its seconds and what was seen.
  type: list
  elements: dict
  returned: when O(state=active)
seconds_to_stop:
  description: Seconds that the engine's last requests and its end took.
  type: float
  returned: when the release was switched
seconds_to_ready:
  description: Seconds from start to readiness.
  type: float
  returned: when the release was switched
requests_cut:
  description: Requests still running in the engine when it was stopped. Null when the engine could not say.
  type: int
  returned: when the release was switched
reverted:
  description: On failure, whether the release that was active before serves again.
  type: bool
  returned: failure of O(state=active)
mended:
  description: Whether the artifact lay there but was not as declared, and was replaced.
  type: bool
  returned: when O(state=staged)
pruned:
  description: Releases that were removed.
  type: list
  elements: str
  returned: when O(state=staged)
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.engine.client import Engine
from ..module_utils.engine.release import Release, superseded
from ..module_utils.engine.shelf import Shelf
from ..module_utils.engine.switch import Switch
from ..module_utils.engine.unit import Unit
from ..module_utils.errors import PlatformError, Refused, Unreadable

REQUIRED_IF = [("state", "staged", ["definition"]), ("state", "active", ["unit", "port"])]


def argument_spec():
    """Options, as documented above."""
    definition = {
        "model": {"type": "str", "required": True},
        "identity": {"type": "str", "required": True},
        "engine": {"type": "str", "required": True},
        "engine_version": {"type": "str", "required": True},
        "artifact": {"type": "str", "required": True},
        "sha256": {"type": "str", "required": True},
        "command": {"type": "list", "elements": "str", "required": True},
        "ready_path": {"type": "str", "default": "/health"},
        "models_path": {"type": "str", "default": "/v1/models"},
        "completion_path": {"type": "str", "default": "/v1/completions"},
        "metrics_path": {"type": "str", "default": "/metrics"},
        "running_metrics": {"type": "list", "elements": "str", "default": []},
        "progress_metrics": {"type": "list", "elements": "str", "default": []},
        "start_deadline": {"type": "float", "default": 600},
    }
    return {
        "pool": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["staged", "active", "absent"], "required": True},
        "root": {"type": "path", "default": "/srv/models"},
        "definition": {"type": "dict", "options": definition},
        "source": {"type": "path"},
        "take": {"type": "str", "choices": ["copy", "move", "link", "symlink"], "default": "copy"},
        "verify": {"type": "bool", "default": True},
        "keep": {"type": "int", "default": 2},
        "unit": {"type": "str"},
        "port": {"type": "int"},
        "timeout": {"type": "float", "default": 30},
        "idle_deadline": {"type": "float", "default": 30},
        "api_key": {"type": "str", "no_log": True},
    }


def stage(module, shelf):
    """Put the release on the shelf and prune old ones. Returns the result's fields."""
    params = module.params
    lists = ("command", "running_metrics", "progress_metrics")
    fields = {key: tuple(value) if key in lists else value for key, value in params["definition"].items()}
    release = Release(name=params["name"], **fields)
    release.check()
    held = shelf.holds(release)
    mended = held and params["verify"] and not proved(module, shelf, release)
    if not held:
        if not params["source"]:
            raise Refused("release {0} is not staged and no source was given".format(release.name))
        if not module.check_mode:
            shelf.stage(release, params["source"], params["take"])
    ages = dict(shelf.ages())
    ages.setdefault(release.name, float("inf"))
    pruned = [name for name in superseded(ages, shelf.active(), params["keep"]) if name != release.name]
    if not module.check_mode:
        for name in pruned:
            shelf.remove(name)
    return {"changed": bool(pruned) or not held or mended, "pruned": pruned, "mended": mended}


def proved(module, shelf, release):
    """Read what is staged. False when it was not as declared and there was a good one to replace it by."""
    try:
        return shelf.verify(release) is None
    except Unreadable:
        if not module.params["source"] or not os.path.exists(module.params["source"]):
            raise
    if not module.check_mode:
        shelf.mend(release, module.params["source"], module.params["take"])
    return False


def activate(module, shelf):
    """Make the release the active one and prove it. Returns the result's fields."""
    params = module.params
    engine = Engine("http://127.0.0.1:{0}".format(params["port"]), params["timeout"], params["api_key"])
    unit = Unit(params["unit"], module.run_command)
    switch = Switch(shelf, unit, engine, params["port"], params["idle_deadline"])
    release = shelf.read(params["name"])
    proof = switch.serves(release.name)
    if proof:
        return {"changed": False, "proof": proof.steps}
    if module.check_mode:
        return {"changed": True, "proof": []}
    return dict(switch.activate(release), changed=True)


def remove(module, shelf):
    """Take the release away. Returns the result's fields."""
    name = module.params["name"]
    if name not in shelf.names():
        return {"changed": False}
    if name == shelf.active():
        raise Refused("release {0} is active: switch to another one first".format(name))
    if not module.check_mode:
        shelf.remove(name)
    return {"changed": True}


def shown(shelf):
    """The shelf as text, for the diff."""
    return "staged: {0}\nactive: {1}\n".format(", ".join(shelf.names()) or "none", shelf.active() or "none")


def main():
    """Read the arguments, act once, answer."""
    module = AnsibleModule(
        argument_spec(),
        supports_check_mode=True,
        required_if=REQUIRED_IF,
    )
    shelf = Shelf(module.params["root"], module.params["pool"])
    act = {"staged": stage, "active": activate, "absent": remove}[module.params["state"]]
    before = shown(shelf)
    try:
        if module.check_mode:
            result = act(module, shelf)
        else:
            with shelf.lock():
                result = act(module, shelf)
    except PlatformError as error:
        module.fail_json(msg=error.message, active=shelf.active(), **error.evidence)
    module.exit_json(active=shelf.active(), diff={"before": before, "after": shown(shelf)}, **result)


if __name__ == "__main__":
    main()

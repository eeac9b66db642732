#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: model_probe
short_description: Proves that a model server, or a pool, serves a model
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Waits until the server is ready, checks which model it serves, and asks for one real completion. Changes nothing.
  - Says which step failed and what was seen.
options:
  url:
    description: Scheme, host and port, for example V(http://127.0.0.1:8000).
    type: str
    required: true
  model:
    description: Name by which clients ask for the model.
    type: str
    required: true
  identity:
    description: Name that must be among the served ones. Left out, O(model).
    type: str
  ready_path:
    description: Path that answers 200 when the server can serve.
    type: str
    default: /health
  models_path:
    description: Path that lists the served names.
    type: str
    default: /v1/models
  completion_path:
    description: Path of the completion; one that ends in C(/chat/completions) gets messages, others a prompt.
    type: str
    default: /v1/completions
  prompt:
    description: What to ask.
    type: str
    default: Hello
  max_tokens:
    description: Tokens to ask for.
    type: int
    default: 4
  deadline:
    description: Seconds that becoming ready may take.
    type: float
    default: 60
  timeout:
    description: Seconds that one request may take.
    type: float
    default: 30
  api_key:
    description: Bearer token.
    type: str
  count:
    description: Completions to ask for after the proof, one after the other. Those that fail are counted, and the module does not fail for them.
    type: int
    default: 0
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
seealso:
  - module: steadfast.ai_platform.model_release
"""

EXAMPLES = r"""
- name: Prove that the pool answers through the virtual IP
  steadfast.ai_platform.model_probe:
    url: http://192.0.2.100:8080
    model: tiny
"""

RETURN = r"""
proof:
  description: The steps (readiness, identity, completion), each with its seconds and what was seen.
  type: list
  elements: dict
  returned: success
  sample: [{step: completion, ok: true, seconds: 0.021, seen: "and the river"}]
steps:
  description: The steps taken, the failed one last.
  type: list
  elements: dict
  returned: failure
answers:
  description: C(requests) of O(count) and their C(errors).
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.engine.answers import completion_text
from ..module_utils.engine.client import Engine
from ..module_utils.engine.proof import prove
from ..module_utils.engine.question import Question
from ..module_utils.errors import PlatformError

QUESTION = ("model", "identity", "ready_path", "models_path", "completion_path", "prompt", "max_tokens")


def argument_spec():
    """Options, as documented above."""
    return {
        "url": {"type": "str", "required": True},
        "model": {"type": "str", "required": True},
        "identity": {"type": "str"},
        "ready_path": {"type": "str", "default": "/health"},
        "models_path": {"type": "str", "default": "/v1/models"},
        "completion_path": {"type": "str", "default": "/v1/completions"},
        "prompt": {"type": "str", "default": "Hello"},
        "max_tokens": {"type": "int", "default": 4, "no_log": False},
        "deadline": {"type": "float", "default": 60},
        "timeout": {"type": "float", "default": 30},
        "api_key": {"type": "str", "no_log": True},
        "count": {"type": "int", "default": 0},
    }


def ask_more(engine, question, count):
    """Ask for more completions; how many were asked for, and how many were not answered with one."""
    errors = 0
    for _number in range(count):
        try:
            completion_text(engine.post(question.completion_path, question.completion()).body)
        except PlatformError:
            errors += 1
    return {"requests": count, "errors": errors}


def main():
    """Ask, and answer."""
    module = AnsibleModule(argument_spec(), supports_check_mode=True)
    params = module.params
    engine = Engine(params["url"], params["timeout"], params["api_key"])
    question = Question(**{name: params[name] for name in QUESTION})
    try:
        proof = prove(engine, question, params["deadline"])
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    module.exit_json(changed=False, proof=proof.steps, answers=ask_more(engine, question, params["count"]))


if __name__ == "__main__":
    main()

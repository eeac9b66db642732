#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_health_info
short_description: Tells how the NVIDIA GPUs of a host are, in one answer with a verdict and the action it needs
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Asks C(nvidia-smi), the PCI bus and the kernel's log, and judges what they say against the inventory.
  - V(healthy) means that nothing is wrong and everything needed to say so is known; V(degraded) that something is wrong or not known; V(failed) that
    the host should serve nobody.
  - What is not known is never taken for health. The thresholds, their sources and what each XID asks for are in C(docs/gpu.md).
  - Changes nothing.
options:
  expected_count:
    description: How many GPUs the host has. When it has none at all and this is more than 0, the module fails.
    type: int
  expected_model:
    description: Part of every GPU's name, as in V(H100).
    type: str
  expected_driver:
    description: Version of the driver, or how it begins, as in V(570).
    type: str
  expected_pcie_width:
    description: Lanes of each GPU's link. Without it, as many as the GPU can use; many virtual machines have fewer.
    type: int
  expected_pcie_generation:
    description: PCIe generation of each GPU's link while it works.
    type: int
  expected_nvlinks:
    description: Active NVLinks of each GPU.
    type: int
  expected_ecc:
    description: Whether ECC is on.
    type: bool
  expected_mig:
    description: Whether the GPUs are divided by MIG.
    type: bool
  expected_persistence:
    description: Whether persistence mode is on.
    type: bool
  policy:
    description:
      - Whom to follow in what an XID asks for. V(nvidia) is NVIDIA's catalog; V(lenient) the mildest of NVIDIA, gpud and AWS, V(cautious) the most severe.
    type: str
    choices: [lenient, nvidia, cautious]
    default: nvidia
  overrides:
    description:
      - By XID the action that it asks for (V(none), V(restart_app), V(reset_gpu), V(reboot), V(isolate)), before any policy. XIDs 45 and 154 cannot be
        overridden.
    type: dict
    default: {}
  since:
    description: Seconds of the kernel's log to judge. After a repair, the time since then; what is older is not looked at.
    type: int
    default: 259200
  previous:
    description:
      - The RV(state) that the last answer returned. With it only growth of counters counts; without it, memory errors since the driver was loaded are
        taken for new.
    type: dict
    default: {}
  nvidia_smi:
    description: The program to ask.
    type: str
    default: nvidia-smi
  timeout:
    description: Seconds that it may take.
    type: int
    default: 60
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
"""

EXAMPLES = r"""
- name: Refuse to serve on GPUs that are not known to be well
  steadfast.ai_platform.gpu_health_info:
    expected_count: 8
    expected_model: H100
  register: gpus
  failed_when: gpus.verdict != 'healthy'

- name: Follow the most severe source, but take contained memory errors for what the application has to mind
  steadfast.ai_platform.gpu_health_info:
    policy: cautious
    overrides: {94: restart_app}
"""

RETURN = r"""
present:
  description: Whether there are signs of an NVIDIA GPU. Without any, and with none expected, the verdict is V(healthy) and there are no findings.
  type: bool
  returned: success
verdict:
  description: V(healthy), V(degraded) or V(failed).
  type: str
  returned: success
action:
  description: What the host needs, the most severe of what its findings ask for. V(isolate) is to take it out of traffic until a person has looked.
  type: str
  returned: success
why:
  description: The finding that asks for it, in words.
  type: str
  returned: success
text:
  description: All of it in one line.
  type: str
  returned: success
findings:
  description:
    - What is wrong or worth knowing, the worst first, each with C(kind), C(severity) (critical, warning, info), C(text), C(source), C(action), C(person) (no
      action repairs it), C(index), C(uuid), C(serial) and C(evidence).
  type: list
  elements: dict
  returned: success
gpus:
  description: Every GPU that C(nvidia-smi) lists. What is not known is null, and C(unknown) says why.
  type: list
  elements: dict
  returned: success
state:
  description: What the next look should be given as O(previous).
  type: dict
  returned: success
"""

import dataclasses
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError
from ..module_utils.gpu.client import Node
from ..module_utils.gpu.expect import Expect
from ..module_utils.gpu.judge import judge
from ..module_utils.gpu.policy import policy


def plain(value):
    """A record as the data that a task can return."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, frozenset):
        return sorted(value)
    return {str(key): plain(each) for key, each in value.items()} if isinstance(value, dict) else value


def expectations(given):
    """What the inventory says."""
    return Expect(
        count=given["expected_count"],
        model=given["expected_model"],
        driver=given["expected_driver"],
        pcie_width=given["expected_pcie_width"],
        pcie_generation=given["expected_pcie_generation"],
        nvlinks=given["expected_nvlinks"],
        ecc=given["expected_ecc"],
        mig=given["expected_mig"],
        persistence=given["expected_persistence"],
    )


def overrides(given):
    """Codes as numbers, whatever YAML made of them."""
    wrong = [str(code) for code in given if not str(code).isdecimal()]
    if wrong:
        raise PlatformError("overrides are by XID, a number, not {0}".format(", ".join(wrong)))
    return {int(str(code)): str(action) for code, action in given.items()}


def result(seen, judged):
    """What was seen and the judgement over it."""
    return {
        "present": judged.present,
        "verdict": judged.verdict,
        "action": judged.action,
        "why": judged.why,
        "text": judged.text,
        "findings": plain(judged.findings),
        "gpus": plain(seen.look.gpus if seen.look else ()),
        "state": judged.state,
    }


def main():
    """Read the arguments, look once, answer."""
    module = AnsibleModule(
        {
            "expected_count": {"type": "int"},
            "expected_model": {"type": "str"},
            "expected_driver": {"type": "str"},
            "expected_pcie_width": {"type": "int"},
            "expected_pcie_generation": {"type": "int"},
            "expected_nvlinks": {"type": "int"},
            "expected_ecc": {"type": "bool"},
            "expected_mig": {"type": "bool"},
            "expected_persistence": {"type": "bool"},
            "policy": {"type": "str", "choices": ["lenient", "nvidia", "cautious"], "default": "nvidia"},
            "overrides": {"type": "dict", "default": {}},
            "since": {"type": "int", "default": 259200},
            "previous": {"type": "dict", "default": {}},
            "nvidia_smi": {"type": "str", "default": "nvidia-smi"},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    given = module.params
    expect = expectations(given)
    try:
        chosen = policy(given["policy"], overrides(given["overrides"]))
        node = Node(given["nvidia_smi"], given["timeout"])
        seen = node.look(time.time() - given["since"], expect.nvlinks is not None)
        judged = judge(seen, expect, chosen, given["previous"])
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    if expect.count and not judged.present:
        module.fail_json(msg="{0} GPUs are expected and there is no sign of any".format(expect.count), present=False)
    module.exit_json(changed=False, **result(seen, judged))


if __name__ == "__main__":
    main()

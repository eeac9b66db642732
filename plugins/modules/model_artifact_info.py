#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: model_artifact_info
short_description: Lists the model artifacts in a store
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Reads the manifests of a store. Changes nothing, and reads no artifact; M(steadfast.ai_platform.model_artifact) does, with its state V(verified).
options:
  store:
    description: Folder where the store is mounted on this host.
    type: path
    required: true
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
seealso:
  - module: steadfast.ai_platform.model_artifact
"""

EXAMPLES = r"""
- name: List what is in the store
  steadfast.ai_platform.model_artifact_info:
    store: /srv/store
  register: store
"""

RETURN = r"""
artifacts:
  description: Every version, by name and version.
  type: list
  elements: dict
  returned: success
  sample: [{name: tiny, version: "1", sha256: "9f86d0...", size: 620032, files: 1}]
unfinished:
  description: Publishing that goes on now or was cut off.
  type: list
  elements: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError
from ..module_utils.storage.artifacts import Artifacts


def main():
    """Read, and answer."""
    module = AnsibleModule({"store": {"type": "path", "required": True}}, supports_check_mode=True)
    store = Artifacts(module.params["store"])
    try:
        found = store.versions()
        unfinished = store.leftovers(0)
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    module.exit_json(changed=False, artifacts=[each.summary() for each in found], unfinished=unfinished)


if __name__ == "__main__":
    main()

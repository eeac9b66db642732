#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: model_cache
short_description: Keeps a node's own verified copies of model artifacts
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Copies a version of an artifact from a store to the node's disk, whole or not at all, each byte verified. A copy that was cut off is gone on with.
  - Every byte is read again each time, which also brings it into memory. A copy that is no longer what was published is made anew; one that is good
    needs no store.
  - Where there is no room, the least recently used versions are given up, and never those in O(kept). Uses are counted; no clock is read.
  - A cache has a store's layout. M(steadfast.ai_platform.model_artifact_info) lists it.
options:
  cache:
    description: Folder on the node's own disk.
    type: path
    required: true
  store:
    description: Folder where the store is mounted on this node.
    type: path
    required: true
  name:
    description: Name of the artifact.
    type: str
    required: true
  version:
    description: Version of the artifact.
    type: str
    required: true
  state:
    description: V(present) has the version in the cache, V(absent) gives it up.
    type: str
    choices: [present, absent]
    default: present
  sha256:
    description: The digest that the version must have. Left out, it is the one it was published with.
    type: str
  kept:
    description: Versions that are never given up, NAME/VERSION each, such as what the active release and the one before it name.
    type: list
    elements: str
    default: []
  limit_mib:
    description: MiB that all versions may take together.
    type: int
    required: true
  spare_mib:
    description: MiB of the disk that stay free.
    type: int
    default: 1024
  rate_mib:
    description: MiB per second that may be read from the store; 0 sets no limit.
    type: int
    default: 0
attributes:
  check_mode:
    description: Says what would be copied and given up, without reading the copies.
    support: full
seealso:
  - module: steadfast.ai_platform.model_artifact
  - module: steadfast.ai_platform.model_artifact_info
"""

EXAMPLES = r"""
- name: Have the model on the node's own disk, and keep what serves now
  steadfast.ai_platform.model_cache:
    cache: /var/cache/models
    store: /srv/store
    name: tiny
    version: "2"
    kept: [tiny/1]
    limit_mib: 204800
    rate_mib: 500
"""

RETURN = r"""
artifact:
  description: The version.
  type: dict
  returned: O(state=present)
  sample: {name: tiny, version: "1", sha256: "9f86d0...", size: 620032, files: 1}
path:
  description: Folder of the version in the cache.
  type: str
  returned: O(state=present), unless in check mode
evicted:
  description: Versions that were given up for it, NAME/VERSION each.
  type: list
  elements: str
  returned: O(state=present)
mended:
  description: Whether a copy was there that was no longer what was published.
  type: bool
  returned: O(state=present), unless in check mode
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError
from ..module_utils.storage.artifacts import Artifacts
from ..module_utils.storage.cache import Cache

MIB = 2**20


def cache_of(module):
    """The cache that the options speak of."""
    given = module.params
    store = Artifacts(given["store"], lambda done, whole: module.log("{0} of {1} bytes".format(done, whole)))
    return Cache(
        given["cache"],
        store,
        limit=given["limit_mib"] * MIB,
        spare=given["spare_mib"] * MIB,
        rate=given["rate_mib"] * MIB,
        kept=tuple(given["kept"]),
    )


def act(cache, given, only_look):
    """Do it, or say what would be done. Returns the result's fields."""
    name, version = given["name"], given["version"]
    if given["state"] == "absent":
        return {"changed": cache.remove(name, version, only_look)}
    return (cache.would_hold if only_look else cache.hold)(name, version, given["sha256"])


def main():
    """Read the arguments, act once, answer."""
    module = AnsibleModule(
        {
            "cache": {"type": "path", "required": True},
            "store": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "version": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "sha256": {"type": "str"},
            "kept": {"type": "list", "elements": "str", "default": []},
            "limit_mib": {"type": "int", "required": True},
            "spare_mib": {"type": "int", "default": 1024},
            "rate_mib": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    cache = cache_of(module)
    try:
        if module.check_mode:
            result = act(cache, module.params, only_look=True)
        else:
            with cache.lock():
                result = act(cache, module.params, only_look=False)
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

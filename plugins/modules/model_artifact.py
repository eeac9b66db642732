#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: model_artifact
short_description: Publishes model artifacts into a store, verifies and removes them
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - A store is a folder on any mounted file system. A version of an artifact is a folder in it, with a manifest of every file's size and SHA-256.
  - A version appears whole or not at all, and never changes; whoever publishes other bytes under the same version is refused. Publishing that was
    cut off leaves nothing that counts; O(state=pruned) removes what lies about.
options:
  store:
    description: Folder where the store is mounted on this host.
    type: path
    required: true
  state:
    description:
      - V(published) brings O(source) into the store, V(verified) reads every file of a version again, V(absent) removes a version, V(pruned) removes what
        dead publishers left.
    type: str
    choices: [published, verified, absent, pruned]
    default: published
  name:
    description: Name of the artifact.
    type: str
  version:
    description: Version of the artifact.
    type: str
  source:
    description: File or folder on this host, of regular files only.
    type: path
  sha256:
    description: The digest that O(source) must have. Left out, it may have any.
    type: str
  named:
    description: Versions that releases still name, NAME/VERSION each; O(state=absent) refuses to remove them.
    type: list
    elements: str
    default: []
  stale_after:
    description: Seconds without a sign of life after which a publisher is dead. Not less than 60; a living one gives a sign every five seconds.
    type: int
    default: 3600
attributes:
  check_mode:
    description: Says what would be done; for O(state=published) without reading O(source) to its end.
    support: full
seealso:
  - module: steadfast.ai_platform.model_artifact_info
"""

EXAMPLES = r"""
- name: Publish a model
  steadfast.ai_platform.model_artifact:
    store: /srv/store
    name: tiny
    version: "1"
    source: /tmp/tiny.gguf

- name: Remove a version that no release names
  steadfast.ai_platform.model_artifact:
    store: /srv/store
    name: tiny
    version: "0"
    state: absent
    named: [tiny/1]
"""

RETURN = r"""
artifact:
  description: The version.
  type: dict
  returned: O(state=published) and O(state=verified)
  sample: {name: tiny, version: "1", sha256: "9f86d0...", size: 620032, files: 1}
wrong:
  description: What is wrong with the version, a line each.
  type: list
  elements: str
  returned: failure of O(state=verified)
pruned:
  description: What was removed.
  type: list
  elements: str
  returned: O(state=pruned)
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError, Refused, Unreadable
from ..module_utils.storage.artifacts import Artifacts

OLDEST = 60


def publish(module, store):
    """Bring it in. Returns the result's fields."""
    given = module.params
    if module.check_mode:
        return store.would_publish(given["name"], given["version"], given["source"])
    changed, manifest = store.publish(given["name"], given["version"], given["source"], given["sha256"])
    return {"changed": changed, "artifact": manifest.summary()}


def verify(module, store):
    """Read it again. Returns the result's fields."""
    given = module.params
    wrong = store.verify(given["name"], given["version"])
    if wrong:
        words = "{0} {1} in the store is not what was published: {2}"
        raise Unreadable(words.format(given["name"], given["version"], "; ".join(wrong[:10])), wrong=wrong[:100])
    return {"changed": False, "artifact": store.manifest(given["name"], given["version"]).summary()}


def remove(module, store):
    """Take it away. Returns the result's fields."""
    given = module.params
    return {"changed": store.remove(given["name"], given["version"], given["named"], module.check_mode)}


def prune(module, store):
    """Take away what lies about. Returns the result's fields."""
    age = module.params["stale_after"]
    if age < OLDEST:
        raise Refused(
            "stale_after must be {0} seconds or more, or a living publisher would lose its work".format(OLDEST)
        )
    gone = store.leftovers(age) if module.check_mode else store.prune(age)
    return {"changed": bool(gone), "pruned": gone}


def main():
    """Read the arguments, act once, answer."""
    spec = {
        "store": {"type": "path", "required": True},
        "state": {"type": "str", "choices": ["published", "verified", "absent", "pruned"], "default": "published"},
        "name": {"type": "str"},
        "version": {"type": "str"},
        "source": {"type": "path"},
        "sha256": {"type": "str"},
        "named": {"type": "list", "elements": "str", "default": []},
        "stale_after": {"type": "int", "default": 3600},
    }
    whole = ("name", "version")
    module = AnsibleModule(
        spec,
        supports_check_mode=True,
        required_if=[
            ("state", "published", (*whole, "source")),
            ("state", "verified", whole),
            ("state", "absent", whole),
        ],
    )
    store = Artifacts(module.params["store"], lambda done, whole: module.log("{0} of {1} bytes".format(done, whole)))
    act = {"published": publish, "verified": verify, "absent": remove, "pruned": prune}[module.params["state"]]
    try:
        result = act(module, store)
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

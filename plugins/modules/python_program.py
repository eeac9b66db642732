#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: python_program
short_description: Installs a program of this collection together with what it imports
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Programs that roles install on hosts, timers and daemons, share code with the collection's modules. This installs a program and exactly those
    files of C(module_utils) that it imports, and that these import.
  - The shared files lie in C(steadfast_platform) beside the programs; programs of one folder share them. Each file is replaced at once or not at
    all. Nothing is removed.
options:
  src:
    description: The program, a Python file. A relative path is looked for as C(ansible.builtin.copy) does, in a role's C(files).
    type: str
    required: true
  folder:
    description: Where it goes. Made when it is missing.
    type: path
    required: true
  files:
    description: Text of each file by its path in O(folder). The action fills it in and takes none.
    type: dict
attributes:
  check_mode:
    description: Says which files would change.
    support: full
  diff_mode:
    description: Shows how each file would change.
    support: full
notes:
  - All files belong to whoever runs the module, mode C(0644).
"""

EXAMPLES = r"""
- name: Install the timer's program
  steadfast.ai_platform.python_program:
    src: deadman.py
    folder: /usr/local/libexec/steadfast
"""

RETURN = r"""
changed_files:
  description: Paths of the files that were not as they should be.
  type: list
  elements: str
  returned: success
  sample: [/usr/local/libexec/steadfast/deadman.py]
"""

import os
import stat

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import atomic

FILE = 0o644
FOLDER = 0o755


def present(path):
    """A file's text, or None when there is none that is as it should be but for its text."""
    try:
        found = os.lstat(path)
        right = stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == FILE and found.st_uid == os.geteuid()
        with open(path, encoding="utf-8") as stream:
            return stream.read() if right else None
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return None


def folders(root, names):
    """The root and every folder below it that a file is in, the outer ones first."""
    found = {root}
    for name in names:
        while name := os.path.dirname(name):
            found.add(os.path.join(root, name))
    return sorted(found)


def made(folder):
    """Have a folder, whatever the umask."""
    if not os.path.isdir(folder):
        os.makedirs(folder)
        os.chmod(folder, FOLDER)


def main():
    """Compare, and replace what differs."""
    spec = {
        "src": {"type": "str", "required": True},
        "folder": {"type": "path", "required": True},
        "files": {"type": "dict"},
    }
    module = AnsibleModule(spec, supports_check_mode=True)
    root, files = module.params["folder"], module.params["files"]
    if not files:
        module.fail_json(msg="python_program is an action: it needs Ansible on the controller to find the files")
    for name in files:
        if os.path.isabs(name) or ".." in name.split("/"):
            module.fail_json(msg="{0} is not inside {1}".format(name, root))
    try:
        before = {name: present(os.path.join(root, name)) for name in files}
        wrong = [name for name in files if before[name] != files[name]]
        if not module.check_mode and wrong:
            for folder in folders(root, files):
                made(folder)
                if stat.S_IMODE(os.stat(folder).st_mode) & 0o022:
                    module.fail_json(msg="{0} can be written by others: its programs would be theirs".format(folder))
            for name in wrong:
                atomic.replace(os.path.join(root, name), files[name], FILE)
    except OSError as error:
        module.fail_json(msg="the program cannot be installed in {0}: {1}".format(root, error))
    paths = {name: os.path.join(root, name) for name in wrong}
    diff = [
        {"before_header": path, "after_header": path, "before": before[name] or "", "after": files[name]}
        for name, path in paths.items()
    ]
    module.exit_json(
        changed=bool(wrong), changed_files=list(paths.values()), **({"diff": diff} if module._diff else {})
    )


if __name__ == "__main__":
    main()

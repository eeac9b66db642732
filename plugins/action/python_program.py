# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action python_program: reads a program and what it imports here, and has the module of that name install it there."""

from __future__ import annotations

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ..module_utils.errors import PlatformError
from ..plugin_utils.program import parts


class ActionModule(ActionBase):
    """One program, on this task's host."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp=None, task_vars=None):
        """Send what is needed. The files' texts are no news, so they are not in what is shown of the call."""
        super().run(tmp, task_vars)
        spec = {"src": {"type": "str", "required": True}, "folder": {"type": "path", "required": True}}
        _spec, given = self.validate_argument_spec(spec)
        try:
            files = parts(self._find_needle("files", given["src"]))
        except PlatformError as error:
            raise AnsibleError(error.message) from error
        done = self._execute_module(module_args={"files": files, **given}, task_vars=task_vars)
        done.pop("invocation", None)
        return done

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action model_release: runs the module of that name as a rollout runs it, carried, where that is possible.

Before a rollout every node verifies its release; unpacking Ansible's library there takes longer than the question.
"""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ..modules.model_release import REQUIRED_IF, argument_spec
from ..plugin_utils.fleet import carry


class ActionModule(ActionBase):
    """The module, on this task's host."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """Check the arguments here, as the module would there, and run it."""
        super().run(tmp, task_vars)
        if self._task.check_mode:
            return self._execute_module(task_vars=task_vars)
        _spec, arguments = self.validate_argument_spec(argument_spec(), required_if=REQUIRED_IF)
        return carry(self, "steadfast.ai_platform.model_release", arguments, task_vars)

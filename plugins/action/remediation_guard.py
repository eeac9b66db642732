# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action remediation_guard: with ledger hosts it works on the controller, since no host alone has a majority."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ..module_utils.errors import PlatformError
from ..modules.remediation_guard import REQUIRED, SPEC, answer
from ..plugin_utils.fleet import Fleet
from ..plugin_utils.guard_book import GuardBook


class ActionModule(ActionBase):
    """A question to the guard, or a word to it."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """Ask the ledger hosts where there are any, else the one host."""
        super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(SPEC, required_if=REQUIRED)
        if not given["ledger_hosts"]:
            return self._execute_module(task_vars=task_vars)
        fleet = Fleet(self, task_vars)
        try:
            return answer(GuardBook(fleet, given["ledger_hosts"]), given, self._task.check_mode)
        except PlatformError as error:
            return {**error.evidence, "failed": True, "msg": error.message}
        finally:
            fleet.close()

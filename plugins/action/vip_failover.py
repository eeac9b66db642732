# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action vip_failover: documented in plugins/modules/vip_failover.py."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ..module_utils.errors import PlatformError
from ..plugin_utils.fleet import Fleet
from ..plugin_utils.switchover import MAX_ROUNDS, Switchover

ARGUMENTS = {
    "balancers": {"type": "list", "elements": "str", "required": True},
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "path": {"type": "str", "default": "/health"},
    "tls": {"type": "bool", "default": False},
    "to": {"type": "str", "default": ""},
    "asked_from": {"type": "str", "required": True},
    "rounds": {"type": "int", "default": 0},
    "rate": {"type": "float", "default": 50},
    "reason": {"type": "str", "default": ""},
}


class ActionModule(ActionBase):
    """Moves the virtual IP, once or there and back."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """Decide, move, and say what happened."""
        super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(ARGUMENTS)
        if not 0 <= given["rounds"] <= MAX_ROUNDS:
            return {"failed": True, "msg": "rounds must be from 0 to {0}, not {1}".format(MAX_ROUNDS, given["rounds"])}
        fleet = Fleet(self, task_vars)
        switchover = Switchover(fleet, task_vars["hostvars"], given, self._display.display)
        try:
            decision = switchover.decision(given["to"])
            if decision.objections:
                return {"failed": True, "msg": decision.text, "text": decision.text}
            if not decision.source or self._task.check_mode:
                return {"changed": bool(decision.source), "text": decision.text, "moves": []}
            return {"changed": True, **switchover.run(decision)}
        except PlatformError as error:
            moved = bool(switchover.moves)
            return {"failed": True, "changed": moved, "msg": error.message, "moves": switchover.moves, **error.evidence}
        finally:
            fleet.close()

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action gluster_maintenance: documented in plugins/modules/gluster_maintenance.py."""

from __future__ import annotations

import time

from ansible.plugins.action import ActionBase

from ..module_utils.errors import DeadlineExceeded, PlatformError, Refused
from ..module_utils.rollout.found import problem
from ..module_utils.rollout.maintenance import BEGAN, ENDED, PASSING, objection, open_work
from ..module_utils.rollout.policy import settle
from ..plugin_utils.fleet import Fleet
from ..plugin_utils.journal import Journal
from ..plugin_utils.steps import new_run

ARGUMENTS = {
    "state": {"type": "str", "choices": ["began", "ended"], "required": True},
    "kind": {"type": "str", "choices": ["upgrade", "replace"], "required": True},
    "server": {"type": "str", "required": True},
    "servers": {"type": "dict", "required": True},
    "volume": {"type": "str", "required": True},
    "ledger_hosts": {"type": "list", "elements": "str", "required": True},
    "patience": {"type": "int", "default": 3600},
}
HEALTH = "steadfast.ai_platform.gluster_health_info"
PAUSE = 2.0


class ActionModule(ActionBase):
    """Work at one server of a volume begins, or has ended: looked at, and written into the journal."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """Wait until it may begin, or until it is whole again; then say so in the journal."""
        super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(ARGUMENTS)
        fleet = Fleet(self, task_vars)
        try:
            if given["server"] not in given["servers"]:
                words = "there is no storage server {0!r}; there are {1}. Nothing was changed."
                raise Refused(words.format(given["server"], ", ".join(given["servers"])))
            return getattr(self, "_" + given["state"])(fleet, given)
        except PlatformError as error:
            return {**error.evidence, "failed": True, "msg": error.message}
        finally:
            fleet.close()

    def _began(self, fleet, given):
        journal = self._journal(fleet, given)
        end = time.monotonic() + given["patience"]
        while True:
            work = open_work(journal.read().records)
            health = self._health(fleet, given, but=given["server"])
            said = objection(
                given["server"], given["kind"], work, health["findings"], given["servers"][given["server"]]
            )
            waits = health["findings"] and all(one["kind"] in PASSING for one in health["findings"])
            if not said or not waits or time.monotonic() >= end or self._task.check_mode:
                break
            self._display.display("waiting: " + health["text"])
            time.sleep(PAUSE)
        if said:
            raise Refused(said + ". Nothing was changed.", health=health["text"])
        if work:
            return {"changed": False, "msg": "going on with the {0}".format(work), "health": health["text"]}
        if not self._task.check_mode:
            self._note(journal, BEGAN, given)
        return {"changed": True, "msg": "{kind} of {server} begins".format(**given), "health": health["text"]}

    def _ended(self, fleet, given):
        if self._task.check_mode:
            return {"changed": True, "msg": "{kind} of {server} would end".format(**given)}
        journal = self._journal(fleet, given)
        end = time.monotonic() + given["patience"]
        health = self._health(fleet, given)
        while health["findings"]:
            if time.monotonic() >= end:
                words = "{0} is not whole again after {1} s: {2}. Run it again to go on"
                raise DeadlineExceeded(words.format(given["volume"], given["patience"], health["text"]))
            self._display.display(health["text"])
            time.sleep(PAUSE)
            health = self._health(fleet, given)
        if not open_work(journal.read().records):
            return {"changed": False, "msg": "no work is open", "health": health["text"]}
        self._note(journal, ENDED, given)
        return {"changed": True, "msg": "{kind} of {server} has ended".format(**given), "health": health["text"]}

    @staticmethod
    def _journal(fleet, given):
        pool = "store-" + given["volume"]
        plan = {"pool": pool, "release": given["kind"], "balancers": []}
        answer = {"run": "", "plan": plan, "policy": settle({}, 1).to_dict(), "spent": {}, "prior": {}}
        return Journal(fleet, new_run(pool, answer, {"ledger_hosts": given["ledger_hosts"]}))

    @staticmethod
    def _note(journal, event, given):
        journal.take()
        try:
            journal.write(event, server=given["server"], kind=given["kind"], owner=journal.run["owner"])
        finally:
            journal.release()

    @staticmethod
    def _health(fleet, given, but=""):
        """What the first server says that answers; for the one that goes away, what another says."""
        asked = [name for name in given["servers"] if name != but]
        found = fleet.everywhere(asked, HEALTH, {"volume": given["volume"], "min_free": 0.0})
        troubles = {name: problem(found[name], "verdict") for name in asked}
        for name in asked:
            if not troubles[name]:
                return found[name]
        raise Refused("no storage server can say how {0} is: {1}".format(given["volume"], "; ".join(troubles.values())))

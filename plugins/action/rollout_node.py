# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action rollout_node: documented in plugins/modules/rollout_node.py."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ..module_utils.errors import PlatformError, Refused
from ..module_utils.rollout.found import problem
from ..module_utils.rollout.policy import settle
from ..plugin_utils.crew import Crew
from ..plugin_utils.fleet import Fleet
from ..plugin_utils.journal import Heartbeat, Journal
from ..plugin_utils.steps import new_run

NAMES = {"type": "list", "elements": "str", "required": True}
ARGUMENTS = {
    "pool": {"type": "str", "required": True},
    "node": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["drained", "admitted"], "required": True},
    "nodes": NAMES,
    "balancers": NAMES,
    "ledger_hosts": NAMES,
    "policy": {"type": "dict", "default": {}},
    "reason": {"type": "str", "default": ""},
}


class ActionModule(ActionBase):
    """One node out of traffic, or back, under the pool's lease."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """Look first; act only when something is to change."""
        super().run(tmp, task_vars)
        _spec, wanted = self.validate_argument_spec(ARGUMENTS)
        try:
            if wanted["node"] not in wanted["nodes"]:
                raise Refused(
                    "there is no node {0!r} in pool {1} ({2}). Nothing was changed.".format(
                        wanted["node"], wanted["pool"], ", ".join(wanted["nodes"])
                    )
                )
            return self._bring(wanted, task_vars)
        except PlatformError as error:
            return {**error.evidence, "failed": True, "msg": error.message}

    def _bring(self, wanted, task_vars):
        policy = settle(wanted["policy"], len(wanted["nodes"])).to_dict()
        plan = {"pool": wanted["pool"], "release": wanted["state"], "balancers": wanted["balancers"]}
        answer = {"run": "", "plan": plan, "policy": policy, "spent": {}, "prior": {}}
        run = new_run(wanted["pool"], answer, {"ledger_hosts": wanted["ledger_hosts"]})
        crew = Crew(Fleet(self, task_vars), run, task_vars["hostvars"])
        views = crew.views()
        name = wanted["node"]
        state = {"drained": "maint", "admitted": "ready"}[wanted["state"]]
        if all(view[name]["state"] == state for view in views.values()):
            return {"changed": False, "msg": "{0} is {1} at every balancer".format(name, wanted["state"])}
        if self._task.check_mode:
            return {"changed": True, "msg": "{0} would be {1} at every balancer".format(name, wanted["state"])}
        journal = Journal(crew.fleet, run)
        journal.take()
        try:
            with Heartbeat(Journal(Fleet(self, task_vars), run)):
                cut = getattr(self, "_" + wanted["state"])(crew, name, policy, views)
            journal.write("node_" + wanted["state"], node=name, owner=run["owner"], reason=wanted["reason"])
        finally:
            journal.release()
        return {"changed": True, "msg": "{0} is {1} at every balancer".format(name, wanted["state"]), "cut": cut}

    @staticmethod
    def _drained(crew, name, policy, views):
        for balancer in crew.balancers:
            crew.drain([balancer], [name], policy["min_available"])
        return crew.park([name], policy["on_drain_deadline"])

    @staticmethod
    def _admitted(crew, name, policy, views):
        pulse = crew.fleet.run(crew.pulse_calls([name]))[name]
        trouble = problem(pulse, "active")
        if trouble or not pulse["active"]:
            raise Refused("{0} cannot be admitted: {1}".format(name, trouble or "it has no release"))
        proof = crew.probe([name], pulse["active"])[name]
        if proof.get("failed") or proof.get("unreachable"):
            raise Refused("{0} cannot be admitted: {1}".format(name, proof.get("msg")))
        crew.admit({balancer: {name: view[name]["weight"]} for balancer, view in views.items()})
        return 0

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action rollout_step: documented in plugins/modules/rollout_step.py.

It runs on the controller because a majority, a pair of balancers and a lease cannot be had from one host.
"""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.errors import PlatformError
from ..plugin_utils import report
from ..plugin_utils.steps import Steps, new_run

ARGUMENTS = {
    "step": {
        "type": "str",
        "required": True,
        "choices": ["open", "forward", "take_back", "close"],
    },
    "answer": {"type": "dict"},
    "staged": {"type": "dict", "default": {}},
    "run": {"type": "dict"},
    "batches": {"type": "list", "elements": "int", "default": []},
    "failure": {"type": "dict", "default": {}},
    "ledger_hosts": {"type": "list", "elements": "str", "default": []},
    "events_folder": {"type": "str", "default": "~/.local/state/steadfast/rollouts"},
}


class ActionModule(ActionBase):
    """One step of a rollout."""

    _requires_connection = False
    _supports_check_mode = False

    def run(self, tmp=None, task_vars=None):
        """Carry the step out; the result has what the next one needs."""
        super().run(tmp, task_vars)
        _spec, arguments = self.validate_argument_spec(
            ARGUMENTS,
            required_if=[
                ("step", "open", ["answer"]),
                *(("step", step, ["run"]) for step in ARGUMENTS["step"]["choices"] if step != "open"),
            ],
        )
        if self._task.check_mode:
            return {"skipped": True, "msg": "a rollout has no check mode beyond its plan"}
        try:
            return getattr(self, "_" + arguments["step"])(arguments, task_vars)
        except PlatformError as error:
            return {**error.evidence, "failed": True, "msg": error.message}

    def _open(self, arguments, task_vars):
        answer = arguments["answer"]
        if not arguments["ledger_hosts"]:
            raise AnsibleActionFail("ledger_hosts is empty: a rollout remembers what it did on at least one host")
        settings = {key: arguments[key] for key in ("ledger_hosts", "events_folder")}
        run = new_run(answer["plan"]["pool"], answer, settings)
        steps = Steps(self, task_vars, run)
        steps.open(dict(answer, mode="resume" if answer["run"] else "start"), arguments["staged"])
        return {"changed": True, "run": self._kept(steps)}

    def _forward(self, arguments, task_vars):
        """All batches in one task: its connections and its account of the run serve every step."""
        steps = Steps(self, task_vars, arguments["run"])
        steps.forward(arguments["batches"])
        return {"changed": True, "run": self._kept(steps)}

    def _take_back(self, arguments, task_vars):
        """After a failure, or for a run that was on its way back: take back, close, and fail with the reason."""
        steps = Steps(self, task_vars, arguments["run"])
        failure = arguments["failure"]
        index, reason = int(failure.get("batch") or 0), str(failure.get("msg") or "see the failed task above")
        left = steps.fail(index, reason, failure.get("verdicts") or [])
        index = max(left.reverting, default=index)
        lost = steps.take_back(left)
        message = self._ending(steps, index, reason, left.reverting, lost)
        steps.close("failed" if lost else "reverted" if left.reverting else "stopped", reason)
        written = report.write(steps.events.path, steps.events.folder)
        return {"failed": True, "msg": message, "quarantined": lost, "report": written}

    def _close(self, arguments, task_vars):
        steps = Steps(self, task_vars, arguments["run"])
        steps.close("succeeded")
        written = report.write(steps.events.path, steps.events.folder)
        return {"changed": True, "report": written}

    @staticmethod
    def _kept(steps):
        return dict(steps.run, seq=steps.journal.seq)

    @staticmethod
    def _ending(steps, index, reason, back, lost):
        """What an operator reads last."""
        plan = steps.plan
        names = ", ".join(name for number in back for name in plan["batches"][number] if name not in lost)
        words = "Rollout of {0} to {1} stopped at {2}: {3}.".format(
            plan["pool"], plan["release"], ", ".join(plan["batches"][index]), reason.rstrip(".")
        )
        if names:
            before = sorted({str(plan["previous"][name]) for number in back for name in plan["batches"][number]})
            words += " {0} is back in traffic on {1}.".format(names, ", ".join(before))
        for node, why in sorted(lost.items()):
            words += " {0} did not come back and needs you: {1}.".format(node, why.rstrip("."))
        if not back:
            words += " Nothing was taken back, as the policy says; run {0} can be rolled back.".format(steps.run["id"])
        return words

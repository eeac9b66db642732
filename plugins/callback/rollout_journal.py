# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Callback rollout_journal."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout_journal
type: notification
short_description: Writes what a run did as JSON lines and as metrics
version_added: 0.1.0
author: Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Appends one line of JSON to a file for each play, task and result, and one at the end, each written at once and whole, for machines to
    follow.
  - At the end writes metrics for the textfile collector of Prometheus's node exporter. What an earlier run wrote about other pools and
    playbooks stays.
  - Neither holds arguments or whole results. A message is kept of failures only, and never of tasks with C(no_log).
  - A file that cannot be written is told once and given up; it never fails a run. With neither file asked for the callback switches itself
    off.
requirements:
  - enable in the configuration, C(callbacks_enabled = steadfast.ai_platform.rollout_journal)
options:
  path:
    description:
      - File of JSON lines, made with mode 0600 if it is not there. Empty for none.
      - The variable is looked for among the extra variables and those of the first play.
    type: str
    default: ""
    env:
      - name: STEADFAST_JOURNAL
    ini:
      - section: callback_rollout_journal
        key: path
    vars:
      - name: steadfast_journal
  textfile:
    description:
      - File of metrics, for instance C(/var/lib/prometheus/node-exporter/steadfast.prom). Empty for none.
      - The variable is looked for among the extra variables and those of the first play.
    type: str
    default: ""
    env:
      - name: STEADFAST_TEXTFILE
    ini:
      - section: callback_rollout_journal
        key: textfile
    vars:
      - name: steadfast_textfile
"""

import json
import os
import time

from ansible.plugins.callback import CallbackBase
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils import board, files, textfile

STEP = ("steadfast.ai_platform.rollout_step", "rollout_step")
ENDED = ("verified", "reverted", "quarantined", "failed")
STATUSES = ("ok", "changed", "failed", "skipped", "unreachable")
MAX_MESSAGE = 2000
ROLLOUT = "steadfast_rollout_last_run_"
PLAYBOOK = "steadfast_playbook_last_run_"


class CallbackModule(CallbackBase):
    """Writes events for machines."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "steadfast.ai_platform.rollout_journal"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._file, self._textfile = None, ""
        self._opened, self._playbook, self._began = False, "", time.monotonic()
        self._started, self._statuses, self._rollouts, self._batches = {}, {}, {}, {}
        self._splitter, self._read = board.Splitter(), 0

    def v2_playbook_on_start(self, playbook):
        """A playbook begins."""
        self._playbook, self._began, self._read = os.path.basename(playbook._file_name), time.monotonic(), 0
        self._started, self._statuses, self._rollouts, self._batches = {}, {}, {}, {}

    def v2_playbook_on_play_start(self, play):
        """A play begins; the first one's variables may say where to write."""
        if not self._opened:
            self._opened = True
            self.set_options(var_options=play.get_variable_manager().get_vars(play=play))
            self._textfile = _absolute(self.get_option("textfile"))
            self._open(_absolute(self.get_option("path")))
            self.disabled = self._file is None and not self._textfile
        self._write("play", play=board.text(play.get_name()))

    def v2_playbook_on_task_start(self, task, is_conditional):
        """A task begins."""
        self._write("task", **_named(task))

    def v2_playbook_on_handler_task_start(self, task):
        """A handler begins."""
        self.v2_playbook_on_task_start(task, False)

    def v2_runner_on_start(self, host, task):
        """A host begins with a task."""
        self._started[host.get_name(), task._uuid] = time.monotonic()

    def v2_runner_on_ok(self, result):
        """A host did a task."""
        self._result(result, "changed" if result.is_changed() else "ok")

    def v2_runner_on_skipped(self, result):
        """A host skipped a task."""
        self._result(result, "skipped")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """A host failed."""
        self._result(result, "failed", message=_message(result), **({"ignored": True} if ignore_errors else {}))

    def v2_runner_on_unreachable(self, result):
        """A host was out of reach."""
        self._result(result, "unreachable", message=_message(result))

    def v2_playbook_on_stats(self, stats):
        """The run is over."""
        self._write("stats", hosts={host: stats.summarize(host) for host in sorted(stats.processed)})
        if self._textfile:
            self._export(not stats.failures and not stats.dark)

    def _result(self, result, status, **more):
        host, named = result.host.get_name(), _named(result.task)
        began = self._started.pop((host, result.task._uuid), None)
        took = None if began is None else round(time.monotonic() - began, 3)
        self._statuses[status] = self._statuses.get(status, 0) + 1
        if named["action"] in STEP:
            told = board.mapping(result.result.get("rollout_event"))
            more.update({"rollout_event": told} if told else {})
            for event in [*self._told(), *([told] if told else [])]:
                self._learn(event)
        self._write("result", host=host, **named, status=status, duration_s=took, **more)

    def _told(self):
        """What the steps told the board since the last one; nothing where there is no board."""
        try:
            data = files.read_from(os.environ.get("STEADFAST_BOARD", ""), self._read)
        except OSError:
            return []
        self._read += len(data)
        return self._splitter.feed(data)

    def _learn(self, told):
        """Keep of a rollout's event what the metrics need."""
        at = board.number(told.get("at")) or time.time()
        run = self._rollouts.setdefault(board.text(told.get("run"), 80), {"success": 0, "began": at})
        run.update({key: board.text(told.get(key), 80) for key in ("pool", "release") if board.text(told.get(key), 80)})
        run.update(at=at, began=min(run["began"], at))
        if told.get("outcome"):
            run["success"] = int(told["outcome"] == "succeeded")
        if told.get("phase") in ENDED:
            self._batches[board.text(told.get("run"), 80), board.count(told.get("batch"), 0)] = told["phase"]

    def _samples(self, success):
        for run in self._rollouts.values():
            labels = {"pool": run.get("pool", ""), "release": run.get("release", "")}
            yield textfile.sample(ROLLOUT + "timestamp_seconds", run["at"], **labels)
            yield textfile.sample(ROLLOUT + "success", run["success"], **labels)
            yield textfile.sample(ROLLOUT + "duration_seconds", run["at"] - run["began"], **labels)
        for outcome in sorted({*self._batches.values()}):
            ended = [*self._batches.values()].count(outcome)
            yield textfile.sample("steadfast_rollout_batches_total", ended, outcome=outcome)
        labels = {"playbook": self._playbook}
        yield textfile.sample(PLAYBOOK + "timestamp_seconds", time.time(), **labels)
        yield textfile.sample(PLAYBOOK + "success", success, **labels)
        yield textfile.sample(PLAYBOOK + "duration_seconds", time.monotonic() - self._began, **labels)
        for status in STATUSES:
            yield textfile.sample(PLAYBOOK + "results", self._statuses.get(status, 0), status=status, **labels)

    def _export(self, success):
        """Write the metrics, whole or not at all."""
        try:
            earlier = textfile.read(files.read_from(self._textfile).decode("utf-8", "replace"))
            # The node exporter is another user.
            files.write_whole(self._textfile, textfile.render(textfile.merge(earlier, self._samples(success))), 0o644)
        except OSError as problem:
            self._display.warning("rollout_journal cannot write its metrics: {0}".format(problem))

    def _open(self, path):
        if path:
            try:
                self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            except OSError as problem:
                self._give_up(problem)

    def _write(self, event, **more):
        """One event, in one write, so that it is whole even where several runs share the file."""
        if self._file is not None:
            line = json.dumps({"at": round(time.time(), 3), "event": event, **more}, default=str)
            try:
                os.write(self._file, line.encode("utf-8", "replace") + b"\n")
            except OSError as problem:
                self._give_up(problem)

    def _give_up(self, problem):
        self._file = None
        self._display.warning("rollout_journal cannot write its journal: {0}".format(problem))


def _absolute(path):
    return os.path.abspath(os.path.expanduser(path)) if path else ""


def _named(task):
    action = task.action if "{{" in task.action else task.resolved_action or task.action
    return {"task": board.text(task.get_name()), "action": board.text(action)}


def _message(result):
    return board.paragraphs(board.reason(result.result))[:MAX_MESSAGE]

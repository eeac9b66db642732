# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Callback rollout_board."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout_board
type: stdout
short_description: Shows a rollout while it runs, and says last why a run failed
version_added: 0.1.0
author: Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Ansible's own screen output, and while a rollout runs what it is doing. A rollout is a few tasks that last minutes.
  - On a terminal a block at the bottom is redrawn in place, with each node of the batch, its phase, the gate that is waited for with its
    numbers, and the time left. Everything else is printed above it.
  - Elsewhere (AWX, continuous integration, a pipe) there is one line for each change of phase and each verdict, and at most one in ten
    seconds about a wait.
  - After the recap of a failed run the last failure that nothing rescued is repeated, so that the reason is the last thing on the screen.
  - Symbols always stand beside words and no meaning is in a colour alone. E(NO_COLOR) and E(ANSIBLE_NOCOLOR) are honoured. Where the
    output's encoding is not UTF-8, symbols are ASCII.
  - A terminal is one whose E(TERM) is set and not V(dumb), with neither E(CI) nor E(AWX_ISOLATED_DATA_DIR) in the environment.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - set as stdout in the configuration, C(stdout_callback = steadfast.ai_platform.rollout_board)
"""

import atexit
import os
import shutil
import sys
import tempfile
import threading
import time

from ansible import constants
from ansible.plugins.callback.default import CallbackModule as Default
from ansible.utils.color import stringc
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils.board import Board, Splitter, paragraphs, reason
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils.screen import Screen, ascii_only, can_redraw

PLACE = "STEADFAST_BOARD"
PERIOD = 0.2  # seconds between two looks
CHUNK = 1 << 20


class Watch:
    """Follows the file of events.

    Ansible forks, prompts and prints under Display's lock. To share it means that no worker inherits a lock that
    nobody opens, that no block is drawn into a prompt, and that there is no second lock to wait for the first.
    """

    def __init__(self, display):
        self._display = display
        self._lock = getattr(display, "_lock", None) or threading.RLock()
        self._fd, self._path = tempfile.mkstemp(prefix="steadfast-board-")
        self._splitter, self._idle, self._stop = Splitter(), True, threading.Event()
        self._board = Board(ascii_only(sys.stdout))
        self._streams, self._screen = (sys.stdout, sys.stderr), None
        if can_redraw(sys.stdout, os.environ):
            self._screen = sys.stdout = Screen(sys.stdout, self._lock)
            sys.stderr = Screen(sys.stderr, self._lock, self._screen)
        os.environ[PLACE] = self._path
        atexit.register(self.close)
        threading.Thread(target=self._run, name="rollout_board", daemon=True).start()

    def _run(self):
        while not self._stop.wait(PERIOD):
            self.look()

    def look(self, settle=False):
        """Show what is new. `settle`: Ansible goes on to something else, so the block waits for the next event."""
        with self._lock:
            if self._stop.is_set():
                return
            try:
                events = self._splitter.feed(os.read(self._fd, CHUNK))
                self._idle = settle or (self._idle and not events)
                for line in [line for event in events for line in self._board.take(event, time.time())]:
                    if not (self._screen and line.passing):
                        self._display.display(line.text, color=_color(line))
                if self._screen:
                    self._screen.draw([] if self._idle else self._lines())
            except Exception as problem:  # a picture of the rollout must never cost the rollout
                self.close()
                self._display.warning("rollout_board shows no more: {0!r}".format(problem))

    def _lines(self):
        columns, rows = shutil.get_terminal_size()
        lines = self._board.lines(time.time(), columns - 1, rows - 1)
        return [stringc(line.text, _color(line)) if line.tone else line.text for line in lines]

    def close(self):
        """Clear the block and remove the file. A second time does nothing."""
        with self._lock:
            if self._stop.is_set():
                return
            self._stop.set()
            atexit.unregister(self.close)
            if os.environ.get(PLACE) == self._path:
                del os.environ[PLACE]
            try:
                if self._screen:
                    self._screen.draw([])
                os.close(self._fd)
                os.unlink(self._path)
            except (OSError, ValueError):
                pass  # the terminal or the file has gone before us
            if self._screen is sys.stdout:
                sys.stdout, sys.stderr = self._streams


def _color(line):
    return {"good": constants.COLOR_OK, "bad": constants.COLOR_ERROR, "busy": constants.COLOR_CHANGED}.get(line.tone)


class CallbackModule(Default):
    """The default output, a view of the rollout, and the last failure after the recap."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "steadfast.ai_platform.rollout_board"

    def __init__(self):
        super().__init__()
        self._watch = None
        self._reasons = {}

    def v2_playbook_on_start(self, playbook):
        """A playbook begins: actions may tell events from now on."""
        if self._watch:
            self._watch.close()
        try:
            self._watch = Watch(self._display)
        except OSError as problem:
            self._display.warning("rollout_board cannot show rollouts: {0}".format(problem))
        super().v2_playbook_on_start(playbook)

    def v2_playbook_on_play_start(self, play):
        """A play begins."""
        self._settle()
        super().v2_playbook_on_play_start(play)

    def v2_playbook_on_task_start(self, task, is_conditional):
        """A task begins."""
        self._settle()
        super().v2_playbook_on_task_start(task, is_conditional)

    def v2_runner_on_ok(self, result):
        """A task was done."""
        self._settle()
        super().v2_runner_on_ok(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """A task failed. Only its message is kept, never the whole result, which may hold secrets."""
        self._settle()
        if not ignore_errors:
            self._keep(result, "failed")
        super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result):
        """A host was unreachable."""
        self._settle()
        self._keep(result, "unreachable")
        super().v2_runner_on_unreachable(result)

    def v2_playbook_on_stats(self, stats):
        """The run is over."""
        self._settle()
        if self._watch:
            self._watch.close()
        super().v2_playbook_on_stats(stats)
        lost = {*stats.failures, *stats.dark}
        last = [said for host, said in self._reasons.items() if host in lost] or [*self._reasons.values()]
        if last and lost:
            self._display.display("\n" + last[-1], color="red")

    def _settle(self):
        if self._watch:
            self._watch.look(settle=True)

    def _keep(self, result, how):
        host = result.host.get_name()
        self._reasons.pop(host, None)  # so that the last one is the last
        self._reasons[host] = "{0} {1}: {2}".format(host, how, paragraphs(reason(result.result)))

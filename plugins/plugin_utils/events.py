# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout tells while it runs: JSON lines in the run's own file, for the board and the report."""

from __future__ import annotations

import json
import os
import threading
import time

# Seconds between two plain lines about the same wait.
PATIENCE = 10.0


class Events:
    """Writes events to `<folder>/<run>/events.jsonl` and to the board's file; without a board it says them plainly.

    Nothing of a rollout depends on it: a file that cannot be written is given up.
    """

    def __init__(self, folder, run, pool, display):
        self.run, self.pool = run, pool
        self.folder = os.path.join(os.path.expanduser(folder), run)
        self.path = os.path.join(self.folder, "events.jsonl")
        self._display = display
        self._board = os.environ.get("STEADFAST_BOARD")
        self._said = 0.0
        self._alone = threading.Lock()

    def emit(self, event, **data):
        """Tell one event, one after the other: a step tells while what it noted is still written."""
        with self._alone:
            told = {"at": time.time(), "run": self.run, "pool": self.pool, "event": event, **data}
            self._append(self.path, json.dumps(told, default=str))
            if self._board:
                self._append(self._board, json.dumps(told, default=str))
            else:
                self._say(event, data)

    def _append(self, path, line):
        try:
            if path == self.path:
                os.makedirs(self.folder, mode=0o750, exist_ok=True)
            # The board's file is the board's to make.
            with open(path, "a" if path == self.path else "r+", encoding="utf-8") as stream:
                stream.seek(0, os.SEEK_END)
                stream.write(line + "\n")
        except OSError:
            if path == self._board:
                self._board = None

    def _say(self, event, data):
        if event == "phase":
            text = "batch {batch} of {batches}: {0} {phase} {detail}".format(", ".join(data["nodes"]), **data)
        elif event == "waiting" and time.monotonic() - self._said >= PATIENCE:
            numbers = ", ".join("{0} {1}".format(key, value) for key, value in data["numbers"].items())
            left = "" if data["left_s"] is None else ", {0:.0f} s left".format(data["left_s"])
            text = "  {0} {1}: {2}{3}".format(data["phase"], data["gate"], numbers, left)
        elif event == "verdicts":
            text = "\n".join("  {gate}: {verdict}, {reason}".format(**verdict) for verdict in data["verdicts"])
        else:
            return
        self._said = time.monotonic()
        self._display.display(text.rstrip())

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Callback rollout_board."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout_board
type: notification
short_description: Says last why a run failed
version_added: 0.1.0
author: Steadfast AI Platform contributors (@steadfast-ai)
description:
  - After the recap of a failed run repeats the last failure that nothing rescued, so that the reason is the last thing on the screen.
requirements:
  - enable in the configuration, C(callbacks_enabled = steadfast.ai_platform.rollout_board)
"""

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Remembers the last failure and prints it after the recap."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "steadfast.ai_platform.rollout_board"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self.reason = None

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """A task failed. Only its message is kept, never the whole result, which may hold secrets."""
        if not ignore_errors:
            self._keep(result, "failed")

    def v2_runner_on_unreachable(self, result):
        """A host was unreachable."""
        self._keep(result, "unreachable")

    def v2_playbook_on_stats(self, stats):
        """The run is over."""
        if self.reason and (stats.failures or stats.dark):
            self._display.display("\n" + self.reason, color="red")

    def _keep(self, result, how):
        values = result.result
        message = "(hidden by no_log)" if values.get("_ansible_no_log") else _message(values)
        self.reason = "{0} {1}: {2}".format(result.host.get_name(), how, message)


def _message(values):
    """The message of a result; of a loop's result, those of the items that failed."""
    items = [item for item in values.get("results") or [] if isinstance(item, dict) and item.get("failed")]
    if items:
        return "; ".join(str(item.get("msg", "no message")) for item in items)
    return str(values.get("msg", "no message"))

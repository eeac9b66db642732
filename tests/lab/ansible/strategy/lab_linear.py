# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's linear strategy over Mitogen, wherever the Python environment lies."""

from __future__ import annotations

from ansible_mitogen import loaders, strategy

DOCUMENTATION = """
name: lab_linear
short_description: Ansible's linear strategy over Mitogen
description: A task on one of the lab's hosts takes a third of the time.
"""


class StrategyModule(strategy.StrategyMixin, loaders.strategy_loader.get("linear", class_only=True)):
    """Linear."""

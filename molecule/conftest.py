# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives testinfra the lab's inventory with its templates resolved, which it cannot do itself."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from tests.lab.containers import Lab


def pytest_configure(config: pytest.Config) -> None:
    """Point testinfra at a resolved copy, so ansible://GROUP means the lab's containers, by docker exec."""
    groups: dict[str, dict[str, dict[str, dict[str, str]]]] = {}
    for host in Lab.from_env().hosts.values():
        variables = {
            "ansible_connection": "community.docker.docker",
            "ansible_host": host.container,
            "ansible_python_interpreter": "/usr/bin/python3",
            "platform_address": host.address,
        }
        for group in host.groups:
            groups.setdefault(group, {"hosts": {}})["hosts"][host.name] = variables
    folder = Path(tempfile.mkdtemp(prefix="steadfast-testinfra-"))
    config.add_cleanup(lambda: [*map(Path.unlink, folder.iterdir()), folder.rmdir()])
    (folder / "hosts.json").write_text(json.dumps(groups), encoding="utf-8")
    config.option.ansible_inventory = str(folder / "hosts.json")

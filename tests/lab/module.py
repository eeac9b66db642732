# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module as Ansible sends it to a host, without a run of Ansible around it: seconds less for each question."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from ansible.errors import AnsibleError
from ansible.executor.module_common import modify_module
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, module_loader
from ansible.template import Templar

from .settings import ROOT, LabError

PYTHON = "/usr/bin/python3"


@cache
def _loader() -> Any:
    init_plugin_loader([str(ROOT / ".cache" / "collections")])
    return module_loader


def packed(module: str, arguments: dict[str, Any]) -> bytes:
    """The program for a host's Python, to be given on its standard input. Raises LabError for an unknown module."""
    found = _loader().find_plugin_with_context(module)
    if not found.resolved:
        raise LabError(f"there is no module {module}")
    try:
        built = modify_module(
            module_name=found.resolved_fqcn,
            module_path=found.plugin_resolved_path,
            module_args=arguments,
            templar=Templar(DataLoader()),
            task_vars={"ansible_python_interpreter": PYTHON},
        )
    except AnsibleError as error:
        raise LabError(f"{module} cannot be packed: {error}") from error
    return bytes(built.b_module_data)


def answer(output: str) -> dict[str, Any]:
    """What a module printed. Raises ValueError when that is no answer."""
    said = json.loads(output)
    if not isinstance(said, dict):
        raise ValueError(f"no object: {output[:200]}")
    return said

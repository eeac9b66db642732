# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mitogen's way into a container, which reads the container's name where the lab's inventory has it: in a template."""

from __future__ import annotations

from ansible_mitogen import connection

DOCUMENTATION = """
name: lab_docker
short_description: One Python process stays in each of the lab's containers, and runs every module
description: Mitogen's C(mitogen_docker), with the container's name as an option, so that Ansible renders it.
options:
  host:
    description: The container.
    type: str
    vars:
      - name: inventory_hostname
      - name: ansible_host
"""


class Connection(connection.Connection):
    """Into a container."""

    transport = "docker"

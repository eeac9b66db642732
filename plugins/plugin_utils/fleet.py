# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs modules on several hosts at once from inside one task, each over its own connection.

A task runs on one host, and a loop with delegation goes from host to host. A majority, a pair of balancers and a batch
of nodes want the same question asked everywhere at once, and an unreachable host to be an answer rather than the end
of the play. Connections are made the way Ansible's own executor makes them, from each host's variables.
"""

from __future__ import annotations

import contextvars
from concurrent.futures import ThreadPoolExecutor

from ansible import constants
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean

from . import courier

MAX_THREADS = 32
# A module that is carried needs Python's own library, and nothing that a host has added to it; half the start is saved.
ISOLATED = " -I -S -"
# Variables of a host that the running of a module reads, beside those that its connection declares.
KEPT = ("ansible_python_interpreter", "ansible_facts", "ansible_remote_tmp", "ansible_async_dir")


class Fleet:
    """The hosts of the inventory as one task sees them.

    Args:
        action: the action plugin that runs now.
        task_vars: its variables; `hostvars` in them knows every host.
    """

    def __init__(self, action, task_vars):
        self._action = action
        self._hostvars = task_vars["hostvars"]
        self._actions = {}

    def run(self, calls):
        """Run {host: (module, arguments)} at once; return {host: result}. A host out of reach has `unreachable`."""
        results = self.series({host: [call] for host, call in calls.items()})
        return {host: result for host, (result,) in results.items()}

    def series(self, calls):
        """As `run`, with a list of calls for each host, made one after the other, and a list of results."""
        for host in calls:
            # Templating is not made for threads; what it gives is.
            if host not in self._actions:
                self._actions[host] = self._action_for(host)
        for module in {module for asked in calls.values() for module, _arguments in asked if courier.carries(module)}:
            # Once here, rather than in every thread at once.
            courier.pack(module)
        with ThreadPoolExecutor(max(1, min(MAX_THREADS, len(calls)))) as threads:
            futures = {
                host: threads.submit(contextvars.copy_context().run, self._calls, host, asked)
                for host, asked in calls.items()
            }
            return {host: future.result() for host, future in futures.items()}

    def everywhere(self, hosts, module, arguments):
        """Run one module with the same arguments on all hosts."""
        return self.run({host: (module, dict(arguments)) for host in hosts})

    def close(self):
        """Close what was opened."""
        for found in self._actions.values():
            if not isinstance(found, dict):
                found[0]._connection.close()

    def _calls(self, host, asked):
        return [self._call(host, module, arguments) for module, arguments in asked]

    def _call(self, host, module, arguments):
        found = self._actions[host]
        if isinstance(found, dict):
            return found
        action, variables = found
        try:
            return carry(action, module, arguments, variables)
        except AnsibleConnectionFailure as error:
            return {"unreachable": True, "msg": str(error)}
        except AnsibleError as error:
            return {"failed": True, "msg": str(error)}

    def _action_for(self, host):
        """An action bound to the host's connection; a result that says why, where its variables cannot be used."""
        try:
            variables = self._hostvars[host]
            connection = self._connection(variables)
        except (AnsibleError, KeyError) as error:
            return {"unreachable": True, "msg": "{0} cannot be reached with its variables: {1}".format(host, error)}
        task = self._action._task.copy()
        task.async_val = 0
        action = self._action._shared_loader_obj.action_loader.get(
            "ansible.legacy.normal",
            task=task,
            connection=connection,
            play_context=self._action._play_context,
            loader=self._action._loader,
            templar=self._action._templar,
            shared_loader_obj=self._action._shared_loader_obj,
        )
        return action, {key: variables[key] for key in KEPT if key in variables}

    def _connection(self, variables):
        context = self._action._play_context.copy()
        context.connection = variables.get("ansible_connection") or "ssh"
        loaders = self._action._shared_loader_obj
        connection = loaders.connection_loader.get(context.connection, context, None)
        if connection is None:
            raise AnsibleError("there is no connection plugin {0}".format(context.connection))
        if boolean(variables.get("ansible_become", self._action._task.become) or False):
            method = variables.get("ansible_become_method") or "sudo"
            connection.set_become_plugin(loaders.become_loader.get(method))
            self._set(connection.become, "become", variables)
        self._set(connection, "connection", variables)
        self._set(connection._shell, "shell", variables)
        return connection

    @staticmethod
    def _set(plugin, kind, variables):
        names = constants.config.get_plugin_vars(kind, plugin._load_name)
        plugin.set_options(var_options={name: variables[name] for name in names if name in variables})


def carry(action, module, arguments, variables):
    """Run a module on an action's host: one of this collection carried, where a program can be piped there.

    Raises AnsibleConnectionFailure for a host out of reach.
    """
    interpreter = variables.get("ansible_python_interpreter") or action._discovered_interpreter or ""
    if courier.carries(module) and interpreter.startswith("/") and action._connection.is_pipelining_enabled():
        program = courier.parcel(module, arguments).encode()
        return courier.opened(action._low_level_execute_command(interpreter + ISOLATED, in_data=program))
    return action._execute_module(module_name=module, module_args=arguments, task_vars=dict(variables))

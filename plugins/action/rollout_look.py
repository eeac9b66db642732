# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action rollout_look: documented in plugins/modules/rollout_look.py."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ..module_utils.errors import PlatformError
from ..module_utils.ledger.quorum import copy_from, settle
from ..module_utils.rollout.explain import explain
from ..module_utils.rollout.found import found_balancers, found_ledgers, found_nodes, status_table
from ..plugin_utils.crew import NAMESPACE, balancer_options, node_options
from ..plugin_utils.fleet import Fleet

HOSTS = {"type": "list", "elements": "str", "required": True}
ARGUMENTS = {
    "nodes": HOSTS,
    "balancers": HOSTS,
    "ledger_hosts": {"type": "list", "elements": "str", "default": []},
    "pool": {"type": "str", "default": ""},
    "domain_key": {"type": "str", "default": ""},
    "history": {"type": "bool", "default": False},
}
# Variables of a node that say what it should run.
DECLARED = ("model_server_pool", "model_server_releases")


class ActionModule(ActionBase):
    """Looks at all hosts of the platform at once."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """Look, and put what was seen in order."""
        super().run(tmp, task_vars)
        _spec, arguments = self.validate_argument_spec(ARGUMENTS)
        hostvars = task_vars["hostvars"]
        fleet = Fleet(self, task_vars)
        pools = self._pools(arguments, hostvars)
        seen = self._seen(fleet, arguments, hostvars, pools)
        fleet.close()
        told = pools if arguments["history"] else []
        ledgers = {pool: found_ledgers(arguments["ledger_hosts"], seen, pool) for pool in pools}
        hosts = {"nodes": arguments["nodes"], "balancers": arguments["balancers"]}
        return {
            "changed": False,
            "nodes": found_nodes(arguments["nodes"], seen, arguments["domain_key"]),
            "balancers": found_balancers(arguments["balancers"], seen, pools[0]) if pools else [],
            "staged": {name: seen[name]["platform_node"].get("questions") or {} for name in arguments["nodes"]},
            "ledgers": ledgers.get(arguments["pool"], {}),
            "table": status_table(hosts, seen),
            "history": "\n\n".join(self._history(pool, ledgers[pool]) for pool in told),
        }

    @staticmethod
    def _pools(arguments, hostvars):
        named = [arguments["pool"]] if arguments["pool"] else []
        return named or sorted({str(hostvars[node].get("model_server_pool", "")) for node in arguments["nodes"]} - {""})

    @staticmethod
    def _seen(fleet, arguments, hostvars, pools):
        """For each host what its modules said, beside the variables that say what it should run."""
        calls, keys = {}, (*DECLARED, *filter(None, [arguments["domain_key"]]))
        seen = {name: {} for name in (*arguments["nodes"], *arguments["balancers"], *arguments["ledger_hosts"])}
        for node in arguments["nodes"]:
            seen[node].update({key: hostvars[node][key] for key in keys if key in hostvars[node]})
            options = node_options(hostvars[node].get("model_server_pool", ""), hostvars[node])
            calls.setdefault(node, {})["platform_node"] = (NAMESPACE + "model_release_info", options)
        for name in arguments["balancers"]:
            options = balancer_options(hostvars[name])
            calls.setdefault(name, {})["platform_balancer"] = (NAMESPACE + "haproxy_info", options)
            virtual = hostvars[name].get("load_balancer_virtual_ip") or {}
            if virtual:
                calls[name]["platform_vip"] = (NAMESPACE + "vip_info", {"address": virtual["address"]})
        for name in arguments["ledger_hosts"]:
            for pool in pools:
                calls.setdefault(name, {})[pool, "ledger"] = (NAMESPACE + "rollout_ledger_info", {"pool": pool})
        results = fleet.series({host: list(asked.values()) for host, asked in calls.items()})
        for host, asked in calls.items():
            found = dict(zip(asked, results[host]))
            ledgers = [dict(found.pop((pool, "ledger")), item=pool) for pool in pools if (pool, "ledger") in found]
            seen[host].update(found, **({"platform_ledger": {"results": ledgers}} if ledgers else {}))
        return seen

    @staticmethod
    def _history(pool, found):
        try:
            return explain(pool, settle({host: copy_from(result) for host, result in found.items()}).records)
        except PlatformError as error:
            return "{0}: {1}".format(pool, error.message)

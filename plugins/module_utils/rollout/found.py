# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns what modules said of each host (platform_node, platform_balancer, ...) into what plan and status read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Vars = Mapping[str, Any]


def problem(result: Any, expected: str) -> str:
    """Why a host could not be looked at; empty when its result has the expected key."""
    if not isinstance(result, Mapping):
        return "was not looked at"
    if result.get("unreachable"):
        return "unreachable ({0})".format(str(result.get("msg", "no reason given")).strip()[:300])
    if expected not in result:
        # A connection that breaks shows as a module without an answer; what the transport said is the better reason.
        said = " ".join(str(result.get(key) or "") for key in ("module_stderr", "module_stdout")).split()
        return (" ".join(said) or str(result.get("msg") or "gave no answer").strip())[:300]
    return ""


def identities(releases: Any) -> dict[str, str]:
    """For each declared release the name that only it answers to, as the role model_server gives it."""
    found = {}
    for name, release in releases.items() if isinstance(releases, Mapping) else ():
        if isinstance(release, Mapping) and isinstance(release.get("artifact"), Mapping):
            digest = str(release["artifact"].get("sha256", ""))
            found[str(name)] = "{0}@{1}-{2}".format(release.get("model"), name, digest[:12])
    return found


def found_nodes(names: Iterable[str], hostvars: Mapping[str, Vars], domain_key: str = "") -> list[dict[str, Any]]:
    """Model servers, as rollout_plan's option `nodes` takes them. `domain_key` is the failure domain's variable."""
    found = []
    for name in names:
        result = hostvars[name].get("platform_node")
        trouble = problem(result, "active")
        release = None if trouble or not isinstance(result, Mapping) else result["active"]
        found.append(
            {
                "name": name,
                "release": release or "",
                "problem": trouble,
                "domain": str(hostvars[name].get(domain_key, name)) if domain_key else "",
                "identities": identities(hostvars[name].get("model_server_releases")),
            }
        )
    return found


def found_balancers(names: Iterable[str], hostvars: Mapping[str, Vars], pool: str) -> list[dict[str, Any]]:
    """Balancers, as the option `balancers` of rollout_plan takes them."""
    found = []
    for name in names:
        result, vip = hostvars[name].get("platform_balancer"), hostvars[name].get("platform_vip")
        trouble = problem(result, "backends")
        backends = result["backends"] if isinstance(result, Mapping) and not trouble else {}
        if not trouble and pool not in backends:
            trouble = "has no pool {0}: run site.yml".format(pool)
        found.append(
            {
                "name": name,
                "holder": bool(vip.get("holder")) if isinstance(vip, Mapping) else False,
                "servers": backends.get(pool, {}),
                "problem": trouble,
            }
        )
    return found


def found_ledgers(names: Iterable[str], hostvars: Mapping[str, Vars], pool: str) -> dict[str, Any]:
    """Ledger hosts, as the option `ledgers` of rollout_plan takes them."""
    found: dict[str, Any] = {}
    for name in names:
        results = hostvars[name].get("platform_ledger")
        items = results.get("results") if isinstance(results, Mapping) else None
        mine = [item for item in items or [] if isinstance(item, Mapping) and item.get("item") == pool]
        result = mine[0] if mine else results
        trouble = problem(result, "lease")
        if trouble or not isinstance(result, Mapping):
            found[name] = {"failed": True, "msg": trouble}
        else:
            found[name] = {key: result[key] for key in ("lease", "journal", "torn")}
    return found


def status_table(hosts: Mapping[str, list[str]], hostvars: Mapping[str, Vars]) -> str:
    """One line a server: its release, and at each balancer state, health and sessions. The holder is marked."""
    balancers = list(hosts["balancers"])
    seen = {name: hostvars[name].get("platform_balancer") for name in balancers}
    vips = {name: hostvars[name].get("platform_vip") for name in balancers}
    rows = [["server", "pool", "release", *(_title(name, vips[name]) for name in balancers)]]
    for node in found_nodes(hosts["nodes"], hostvars):
        pool = str(hostvars[node["name"]].get("model_server_pool", "?"))
        release = node["problem"] or node["release"] or "none"
        rows.append([node["name"], pool, release, *(_cell(seen[name], pool, node["name"]) for name in balancers)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def _title(name: str, vip: Any) -> str:
    return "{0} (virtual IP)".format(name) if isinstance(vip, Mapping) and vip.get("holder") else name


def _cell(result: Any, pool: str, server: str) -> str:
    trouble = problem(result, "backends")
    if trouble:
        return trouble[:60]
    found = result["backends"].get(pool, {}).get(server)
    if not found:
        return "not in pool"
    return "{state} {status}, {sessions} running".format(**found)

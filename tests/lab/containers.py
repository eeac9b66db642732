# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's containers: one for every host of the inventory, which is the only place that says which there are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.types import IPAMConfig, IPAMPool, Mount

from . import images, settings
from .settings import INVENTORY, LABEL, ROOT, LabError, say

# Plays over Mitogen: what stands before a story begins is made in a third of the time. Molecule's configuration says
# the same for its own plays, and what a story plays must not inherit it.
QUICK = {
    "ANSIBLE_STRATEGY": "lab_linear",
    "ANSIBLE_STRATEGY_PLUGINS": str(ROOT / "tests" / "lab" / "ansible" / "strategy"),
    "ANSIBLE_CONNECTION_PLUGINS": str(ROOT / "tests" / "lab" / "ansible" / "connection"),
    "STEADFAST_LAB_CONNECTION": "lab_docker",
    # That it is no strategy of Ansible's own.
    "ANSIBLE_DEPRECATION_WARNINGS": "false",
}

# systemd in a container without --privileged, as tried on Debian 12 and 13.
SYSTEMD: dict[str, Any] = {
    "command": "/lib/systemd/systemd",
    "cap_add": ["SYS_ADMIN", "NET_ADMIN", "NET_RAW", "NET_BROADCAST", "SYS_PTRACE"],
    "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
    "cgroupns": "host",
    "volumes": {"/sys/fs/cgroup": {"bind": "/sys/fs/cgroup", "mode": "rw"}},
    "tmpfs": {"/run": "", "/run/lock": ""},
    "devices": ["/dev/fuse:/dev/fuse:rwm"],
    "environment": {"container": "docker"},
    # Docker has containers forward, hosts do not. Two balancers that do send what comes for an address between them to
    # each other until it dies of that, and its client hears that there is no route.
    "sysctls": {"net.ipv4.ip_forward": "0"},
    "stop_signal": "SIGRTMIN+3",
}


# Of the cores, for each 1,024 that another container has: what balancers and arbiters do is little and must be in
# time, and where they stand for real nobody else takes their cores.
TIMELY = {"load_balancers", "ledger_hosts"}
TIMELY_SHARES = 16 * 1024


@dataclass(frozen=True)
class Host:
    """One host of the inventory."""

    name: str
    container: str
    address: str
    distro: str
    groups: tuple[str, ...]
    # Where a file system of its own is mounted; it lives as long as the container.
    disk: str = ""


@dataclass(frozen=True)
class Done:
    """What a command in a container did."""

    returncode: int
    stdout: str
    stderr: str


def hosts_from(listing: dict[str, Any]) -> dict[str, Host]:
    """Read the answer of `ansible-inventory --list` with its variables resolved."""
    variables = listing["_meta"]["hostvars"]
    groups: dict[str, list[str]] = {}
    for group, content in listing.items():
        for host in content.get("hosts", []) if isinstance(content, dict) else []:
            groups.setdefault(host, []).append(group)
    return {
        name: Host(
            name,
            values["ansible_host"],
            values["platform_address"],
            values["lab_distro"],
            tuple(groups[name]),
            values.get("lab_disk", ""),
        )
        for name, values in sorted(variables.items())
    }


class Lab:
    """One lab instance.

    Args:
        name: of the network, and prefix of the containers.
        subnet: first three numbers of its /24.
    """

    def __init__(self, name: str, subnet: str) -> None:
        self.name = name
        self.subnet = subnet
        self.virtual_ip = f"{subnet}.100"
        try:
            self.client = docker.from_env()
        except docker.errors.DockerException as error:
            raise LabError(f"the Docker engine does not answer ({error}): run `make setup`") from error

    @classmethod
    def from_env(cls) -> Lab:
        """The lab that the environment names (STEADFAST_LAB, STEADFAST_LAB_SUBNET)."""
        return cls(settings.name(), settings.subnet())

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which Ansible sees this lab, and works as it does for users."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        inherited = {name: value for name, value in os.environ.items() if name not in QUICK}
        return {**inherited, "PATH": path, "STEADFAST_LAB": self.name, "STEADFAST_LAB_SUBNET": self.subnet}

    @cached_property
    def hosts(self) -> dict[str, Host]:
        """Hosts by name, from the inventory as it was when they were first asked for."""
        done = subprocess.run(
            ["ansible-inventory", "-i", INVENTORY, "--list"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise LabError(f"the lab's inventory cannot be read: {done.stderr.strip()[-600:]}")
        listing = json.loads(done.stdout)
        # ansible-inventory shows templates as they stand.
        for values in listing["_meta"]["hostvars"].values():
            values["ansible_host"] = values["ansible_host"].replace("{{ lab_name }}", self.name)
            values["platform_address"] = values["platform_address"].replace("{{ lab_subnet }}", self.subnet)
        return hosts_from(listing)

    def up(self) -> None:
        """Create and start what is missing; leave what runs alone."""
        self._write_more_nodes()
        self.__dict__.pop("hosts", None)
        hosts = self.hosts
        tags = {
            distro: images.ensure(self.client, images.node_recipe(distro))
            for distro in {h.distro for h in hosts.values()}
        }
        self._network()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda host: self._ensure(host, tags[host.distro]), hosts.values()))
        wanted = {host.container for host in hosts.values()}
        for container in self._mine():
            if container.name not in wanted:
                container.remove(force=True)
        say(f"lab {self.name}: {len(hosts)} containers run, {self.subnet}.0/24")

    def down(self) -> None:
        """Remove this lab's containers and network, found by its label."""
        for container in self._mine():
            container.remove(force=True, v=True)
        for network in self.client.networks.list(filters={"label": f"{LABEL}={self.name}"}):
            network.remove()
        say(f"lab {self.name} is gone")

    def exec(self, host: str, argv: list[str], check: bool = True) -> Done:
        """Run a command in a host. Raises LabError when it fails, unless `check` is False."""
        done = self._exec(host, argv)
        if check and done.returncode:
            said = (done.stderr or done.stdout).strip()[-400:]
            raise LabError(f"{host}: {' '.join(argv)} ended with {done.returncode}: {said}")
        return done

    def holder(self, but: str = "") -> str:
        """The balancer that has the virtual IP; `but` is off and cannot be asked. Raises LabError when none has it."""
        for host in self.hosts.values():
            asked = "load_balancers" in host.groups and host.name != but
            if asked and f"{self.virtual_ip}/" in self.exec(host.name, ["ip", "address", "show"]).stdout:
                return host.name
        raise LabError("no balancer holds the virtual IP")

    def kill(self, host: str) -> None:
        """Take a host's power away."""
        self._container(host).kill()

    def unplug(self, host: str) -> None:
        """Pull a host's network cable; what asks it by other ways than the network still can."""
        self.exec(host, ["ip", "link", "set", "eth0", "down"])

    def plug(self, host: str) -> None:
        """Put the cable back, and the default route that went with it."""
        self.exec(host, ["ip", "link", "set", "eth0", "up"])
        self.exec(host, ["ip", "route", "add", "default", "via", f"{self.subnet}.1"])

    def running(self, host: str) -> bool:
        """Whether a host has power."""
        return bool(self._container(host).status == "running")

    def start(self, host: str) -> None:
        """Switch a host on and wait until it has booted."""
        container = self._container(host)
        container.start()
        self._booted(container)

    def renew(self, host: str) -> None:
        """Put a new machine in the place of a host: same name and address, and nothing on its disks."""
        wanted = self.hosts[host]
        self._container(host).remove(force=True, v=True)
        self._ensure(wanted, images.ensure(self.client, images.node_recipe(wanted.distro)))

    def playbook(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run ansible-playbook on this lab; its output is returned, or shown with capture_output=False.

        A playbook of the collection runs as for users, a scenario's own as Molecule runs it.
        """
        options = {"capture_output": True, **options}
        quick = not arguments[0].startswith("playbooks/")
        return subprocess.run(
            ["ansible-playbook", "-i", str(INVENTORY), *arguments],
            cwd=ROOT,
            env={**self.environment, **(QUICK if quick else {})},
            text=True,
            check=False,
            **options,
        )

    def module(self, host: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """One module's result on one host. Raises LabError when there is none."""
        # Here, since Ansible's library takes a second to load.
        from . import module

        done = self._exec(host, [module.PYTHON, "-"], module.packed(name, arguments))
        try:
            return module.answer(done.stdout)
        except ValueError as error:
            raise LabError(f"{name} on {host} gave no result: {(done.stdout + done.stderr)[-600:]}") from error

    def status(self) -> str:
        """One line a container."""
        lines = [f"{'host':8} {'container':24} {'address':16} {'distro':10} state"]
        state = {container.name: container.status for container in self._mine()}
        for host in self.hosts.values():
            seen = state.get(host.container, "absent")
            lines.append(f"{host.name:8} {host.container:24} {host.address:16} {host.distro:10} {seen}")
        return "\n".join(lines)

    def _exec(self, host: str, argv: list[str], given: bytes = b"") -> Done:
        """Run a command in a host, with something on its standard input."""
        # Not by the library's exec_run: what comes with the engine's first words is lost to it now and then.
        ran = subprocess.run(
            ["docker", "exec", "--interactive", self._container(host).name, *argv],
            input=given,
            capture_output=True,
            check=False,
        )
        return Done(ran.returncode, ran.stdout.decode("utf-8", "replace"), ran.stderr.decode("utf-8", "replace"))

    def _mine(self) -> list[Any]:
        return self.client.containers.list(all=True, filters={"label": f"{LABEL}={self.name}"})  # type: ignore[no-any-return]

    def _container(self, host: str) -> Any:
        try:
            return self.client.containers.get(f"{self.name}-{host}")
        except NotFound as error:
            raise LabError(f"lab {self.name} has no host {host}: run `make lab-up`") from error

    def _network(self) -> None:
        if self.client.networks.list(names=[f"^{self.name}$"]):
            return
        pool = IPAMConfig(pool_configs=[IPAMPool(subnet=f"{self.subnet}.0/24", gateway=f"{self.subnet}.1")])
        try:
            self.client.networks.create(self.name, driver="bridge", ipam=pool, labels={LABEL: self.name})
        except APIError as error:
            raise LabError(
                f"network {self.subnet}.0/24 cannot be made ({error.explanation}): set STEADFAST_LAB_SUBNET to another"
            ) from error

    def _ensure(self, host: Host, tag: str) -> None:
        try:
            container = self.client.containers.get(host.container)
            if tag not in container.image.tags:
                container.remove(force=True, v=True)
                container = self._create(host, tag)
        except NotFound:
            container = self._create(host, tag)
        if container.status != "running":
            container.start()
        self._booted(container)

    def _create(self, host: Host, tag: str) -> Any:
        container = self.client.containers.create(
            tag,
            name=host.container,
            hostname=host.name,
            labels={LABEL: self.name},
            detach=True,
            network=None,
            mounts=[Mount(host.disk, None)] if host.disk else [],
            cpu_shares=TIMELY_SHARES if TIMELY & set(host.groups) else None,
            **SYSTEMD,
        )
        self.client.networks.get(self.name).connect(container, ipv4_address=host.address)
        for other in self.client.networks.list(names=["^bridge$"]):
            other.disconnect(container, force=True)
        return container

    def _booted(self, container: Any) -> None:
        for _try in range(120):
            _code, out = container.exec_run(["systemctl", "is-system-running"])
            if out.strip() in (b"running", b"degraded"):
                return
            time.sleep(0.25)
        raise LabError(
            f"{container.name} did not boot within 30 s ({out.decode('utf-8', 'replace').strip()[:200]}): "
            f"see docker logs {container.name}"
        )

    def _write_more_nodes(self) -> None:
        """LAB_NODES beyond the inventory's three become a file of the inventory."""
        extra = INVENTORY / "more_nodes.yml"
        more = range(4, settings.nodes() + 1)
        if not more:
            extra.unlink(missing_ok=True)
            return
        lines = ["---", "# Written by `make lab-up` for LAB_NODES.", "serving:", "  hosts:"]
        for n in more:
            lines += [
                f"    gpu{n}:",
                f'      ansible_host: "{{{{ lab_name }}}}-gpu{n}"',
                f'      platform_address: "{{{{ lab_subnet }}}}.{20 + n}"',
                f"      lab_distro: {('bookworm', 'trixie')[n % 2]}",
            ]
        extra.write_text("\n".join(lines) + "\n")

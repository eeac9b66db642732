# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the lab's images with mmdebstrap, once for each content of the recipe.

Services are not in the image: their packages lie in apt's archive, so that the roles install them for real. What they
need of libraries is in it, and dpkg does not wait for the disk: twelve hosts install in seconds.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .settings import LABEL, LabError, say

BASE = (
    "systemd,systemd-sysv,dbus,python3,python3-apt,ca-certificates,iproute2,procps,iputils-ping,socat,openssl,"
    "libgomp1,libstdc++6,kmod,nftables"
)
# What the roles will ask apt for.
ARCHIVE = (
    "haproxy keepalived curl glusterfs-server glusterfs-client restic nginx-light "
    "prometheus prometheus-alertmanager prometheus-blackbox-exporter prometheus-node-exporter "
    "rsyslog rsyslog-relp rsyslog-kafka rsyslog-elasticsearch"
)
# What they will ask for with --check alone: apt must know of it.
KNOWN = "nfs-common ceph-common"
LIBRARIES = "lib|python3-|perl-modules|fonts-"
DPKG = ("force-unsafe-io", "path-exclude=/usr/share/doc/*", "path-exclude=/usr/share/man/*")
# apt reads all that it knows of before it installs anything: a hundred times as much as the lab can ask for.
FORGET = rf"""cd "$1" && names=$(mktemp) &&
{{ chroot . apt-get install --no-install-recommends --simulate {KNOWN} | awk '/^Inst/ {{print $2}}'
chroot . dpkg-query --show --showformat '${{Package}}\n'; ls var/cache/apt/archives | sed 's/_.*//'; }} > "$names" &&
for list in var/lib/apt/lists/*_Packages; do
  awk 'FNR == NR {{ wanted[$1]; next }} $2 in wanted' "$names" RS= ORS='\n\n' "$list" > "$list.short" &&
  mv "$list.short" "$list" || exit 1
done"""
BUILDER = "build-essential,cmake,ninja-build"
BROWSER = "python3,chromium-headless-shell,fonts-dejavu-core"


@dataclass(frozen=True)
class Recipe:
    """One image: Debian release, packages in it, packages waiting in its archive."""

    distro: str
    include: str
    archive: str = ""

    @property
    def tag(self) -> str:
        """Name and content hash."""
        text = "\n".join((self.distro, self.include, self.archive, *self.hooks()))
        return f"steadfast-lab:{self.distro}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def hooks(self) -> list[str]:
        """mmdebstrap's hooks: fill the archive, and keep what apt would throw away."""
        if not self.archive:
            return []
        install = 'chroot "$1" apt-get install --no-install-recommends'
        libraries = f"$({install} --simulate {self.archive} | awk '/^Inst ({LIBRARIES})/ && !/nginx/ {{print $2}}')"
        return [
            'rm -f "$1"/etc/apt/apt.conf.d/docker-clean',
            f'printf "%s\\n" {shlex.join(DPKG)} > "$1"/etc/dpkg/dpkg.cfg.d/lab',
            f"{install} -y {libraries}",
            f"{install} -y --download-only {self.archive}",
            FORGET,
            'rm -f "$1"/etc/machine-id; : > "$1"/etc/machine-id',
        ]


def node_recipe(distro: str) -> Recipe:
    """The image of every host in the lab."""
    return Recipe(distro, BASE, ARCHIVE)


def builder_recipe() -> Recipe:
    """The image in which the engine is compiled: the oldest C library that a host of the lab has."""
    return Recipe("bookworm", BUILDER)


def browser_recipe() -> Recipe:
    """The image of the browser that looks at the status site."""
    return Recipe("trixie", BROWSER)


def ensure(client: Any, recipe: Recipe) -> str:
    """Return the image's tag, building it when this machine does not have it. Raises LabError."""
    if client.images.list(name=recipe.tag):
        return recipe.tag
    say(f"building image {recipe.tag} (about 40 s)")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="steadfast-image-") as folder:
        tar = Path(folder) / "root.tar"
        _mmdebstrap(recipe, tar)
        with tar.open("rb") as stream:
            client.api.import_image_from_data(
                stream,
                repository=recipe.tag.split(":")[0],
                tag=recipe.tag.split(":")[1],
                changes=[f"LABEL {LABEL}=image"],
            )
    say(f"image {recipe.tag} is ready after {time.monotonic() - began:.0f} s")
    return recipe.tag


def _mmdebstrap(recipe: Recipe, tar: Path) -> None:
    command = ["mmdebstrap", "--variant=minbase", "--quiet", f"--include={recipe.include}"]
    # mmdebstrap empties lists and archive at the end; a host of the lab needs both.
    command += ["--skip=cleanup/apt"] if recipe.archive else []
    command += [f"--customize-hook={hook}" for hook in recipe.hooks()]
    done = subprocess.run(
        [*command, recipe.distro, str(tar)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    if done.returncode:
        raise LabError(
            f"mmdebstrap could not build {recipe.distro}: {done.stderr.strip()[-600:]}\n"
            "It needs root, about 1 GB in the temporary folder, and a network that reaches Debian's mirror."
        )

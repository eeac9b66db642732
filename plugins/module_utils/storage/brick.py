# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts an empty brick in the place of one that was lost, under the same server and path.

GlusterFS takes a brick that comes up empty for one that is whole: nothing is reported as to be healed, and nothing is.
So the others are told first, as `replace-brick` does it (glusterd-replace-brick.c, glusterd-utils.c: an auxiliary mount
with the client's pid GF_CLIENT_PID_ADD_REPLICA_MOUNT, and the virtual attribute trusted.replace-brick). Only then does
the folder become the brick: from there on it may start at any moment, also by itself.
"""

from __future__ import annotations

import errno
import os
import tempfile

from ..errors import PlatformError, Refused
from .gluster import Volume
from .gluster_client import Gluster, Runner

VOLUME_ID, REPLACED = "trusted.glusterfs.volume-id", "trusted.replace-brick"
ADD_REPLICA_MOUNT = -12


def prepare(path: str, volume: Volume, only_look: bool = False) -> bool:
    """Make an empty folder the brick of a volume. False when it is that already.

    Raises Refused for a folder of another volume, or one that has files and is no brick.
    """
    identity = bytes.fromhex(volume.id.replace("-", ""))
    found = _identity(path)
    if found == identity:
        return False
    if found is not None:
        raise Refused("{0} is the brick of another volume ({1}): nothing was changed".format(path, found.hex()))
    if os.path.isdir(path) and os.listdir(path):
        raise Refused("{0} has files and is no brick: empty it first. Nothing was changed".format(path))
    if not only_look:
        os.makedirs(os.path.join(path, ".glusterfs"), mode=0o700, exist_ok=True)
        os.setxattr(path, VOLUME_ID, identity)
    return True


def announce(gluster: Gluster, run: Runner, volume: Volume, brick: str) -> None:
    """On a server that is whole: have the copies that run know that this one has nothing.

    Raises Refused when one of the others does not run, or when this one does.
    """
    running = {name for name, process in gluster.look(volume.name).processes.items() if process.online}
    names = [one.name for one in volume.bricks]
    others = [name for name in names if name != brick and name not in running]
    if others:
        raise Refused("{0} do not run: an empty brick has nobody to be healed from".format(", ".join(others)))
    if brick in running:
        raise Refused("brick {0} runs: it is not empty".format(brick))
    _mark(run, volume.name, names.index(brick))


def rebuild(gluster: Gluster, volume: Volume) -> None:
    """Start the bricks that do not run, and heal."""
    gluster.volume("start", volume.name, "force")
    gluster.heal(volume.name)


def _identity(path: str) -> bytes | None:
    """The volume whose brick a folder is."""
    try:
        return os.getxattr(path, VOLUME_ID)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOENT):
            return None
        raise PlatformError("cannot read {0} of {1}: {2}".format(VOLUME_ID, path, error)) from error


def _mark(run: Runner, volume: str, number: int) -> None:
    with tempfile.TemporaryDirectory(prefix="steadfast-brick-") as folder:
        pid = "--client-pid={0}".format(ADD_REPLICA_MOUNT)
        code, out, err = run(["glusterfs", "-s", "localhost", "--volfile-id", volume, pid, folder])
        if code:
            raise PlatformError("cannot mount {0} to mark its brick: {1}".format(volume, (err or out).strip()[:300]))
        try:
            os.setxattr(folder, REPLACED, "{0}-client-{1}".format(volume, number).encode())
        except OSError as error:
            raise PlatformError("cannot mark brick {0} of {1} as empty: {2}".format(number, volume, error)) from error
        finally:
            run(["umount", "--lazy", folder])

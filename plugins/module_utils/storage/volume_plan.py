# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done so that a GlusterFS volume is as declared: only what adds. What would take away is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import Refused
from .gluster import Peer, Volume

ON, OFF = {"on", "yes", "true", "enable", "1"}, {"off", "no", "false", "disable", "0"}


@dataclass(frozen=True)
class Wanted:
    """A volume as it is declared.

    Args:
        name: of the volume.
        bricks: SERVER:/PATH each, in order; with an arbiter, the last of them.
        arbiter: whether the last brick has no bytes.
        options: what they should be; others are left as they are.
    """

    name: str
    bricks: tuple[str, ...]
    arbiter: bool = False
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def servers(self) -> tuple[str, ...]:
        """Address of each brick's server."""
        return tuple(brick.partition(":")[0] for brick in self.bricks)

    def check(self) -> None:
        """Raises Refused for a volume that could not lose a server, or that no quorum can decide for."""
        if len(self.bricks) != 3 or len(set(self.servers)) != 3:
            raise Refused(
                "volume {0} is declared with {1}: it takes three bricks on three servers (three copies, or two and an "
                "arbiter), so that two of three decide".format(self.name, ", ".join(self.bricks) or "no brick")
            )


def peers_to_probe(wanted: Wanted, here: str, peers: list[Peer]) -> list[str]:
    """Servers that the cluster does not know yet. `here` is the one that is asked.

    Raises Refused for a server of the cluster that is not declared.
    """
    known = {name for peer in peers for name in peer.names}
    strangers = ["/".join(peer.names) for peer in peers if not set(peer.names) & set(wanted.servers)]
    if strangers:
        raise Refused(
            "the cluster has servers that are not declared: {0}. Declare them, or detach them by hand with "
            "`gluster peer detach`".format(", ".join(strangers))
        )
    return [server for server in wanted.servers if server not in known | {here}]


def steps(wanted: Wanted, found: Volume | None) -> list[tuple[str, ...]]:
    """Words for `gluster volume`, in order. Raises Refused for a volume that only taking away could make right."""
    if found is None:
        copies = ("replica", "2", "arbiter", "1") if wanted.arbiter else ("replica", "3")
        done: list[tuple[str, ...]] = [("create", wanted.name, *copies, *wanted.bricks)]
    else:
        _compare(wanted, found)
        done = []
    there = found.options if found else {}
    changed = {key: value for key, value in wanted.options.items() if not same(there.get(key), value)}
    # One by one: gluster refuses a line as a whole, and says which option only for one.
    done += [("set", wanted.name, key, value) for key, value in sorted(changed.items())]
    if found is None or not found.started:
        done.append(("start", wanted.name))
    return done


def same(found: str | None, wanted: str) -> bool:
    """Whether an option has the value; gluster takes several words for on and off."""
    if found is None:
        return False
    pair = {found.strip().lower(), wanted.strip().lower()}
    return len(pair) == 1 or pair <= ON or pair <= OFF


def _compare(wanted: Wanted, found: Volume) -> None:
    there = [brick.name for brick in found.bricks]
    strange = [brick for brick in there if brick not in wanted.bricks]
    missing = [brick for brick in wanted.bricks if brick not in there]
    if strange or missing:
        raise Refused(
            "volume {0} has {1}, but {2} declared: no brick is added or removed by itself. To move a brick to another "
            "disk or server, run replace_storage_node.yml".format(
                found.name, "brick " + ", ".join(strange) if strange else "no other brick", _declared(missing)
            )
        )
    arbiters = [brick.name for brick in found.bricks if brick.arbiter]
    expected = list(wanted.bricks[-1:]) if wanted.arbiter else []
    if found.replica != len(wanted.bricks) or arbiters != expected:
        words = "volume {0} has {1} copies with arbiter {2}, declared are {3} with arbiter {4}: a volume keeps its kind"
        ours, theirs = ", ".join(expected) or "none", ", ".join(arbiters) or "none"
        raise Refused(words.format(found.name, found.replica, theirs, len(wanted.bricks), ours))


def _declared(missing: list[str]) -> str:
    if not missing:
        return "this is not"
    return "{0} {1}".format(", ".join(missing), "is" if len(missing) == 1 else "are")

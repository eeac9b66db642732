# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `gluster --xml` answers, as data.

Source: GlusterFS 11.1, cli/src/cli-xml-output.c; answers of a real cluster are recorded beside the unit tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from xml.etree import ElementTree

from ..errors import PlatformError, Unreadable

IN_CLUSTER = "3"


@dataclass(frozen=True)
class Peer:
    """Another server, as one server sees it."""

    uuid: str
    names: tuple[str, ...]
    connected: bool
    member: bool


@dataclass(frozen=True)
class Brick:
    """One copy of a volume: SERVER:/PATH. An arbiter has names and attributes of files, not their bytes."""

    name: str
    uuid: str = ""
    arbiter: bool = False


@dataclass(frozen=True)
class Volume:
    """A volume as its cluster has it. `replica` counts the arbiter."""

    name: str
    id: str
    started: bool
    replica: int
    arbiter: int
    bricks: tuple[Brick, ...]
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Process:
    """A brick's process and its file system; sizes in bytes, 0 when they are not known."""

    online: bool
    size: int
    free: int


@dataclass(frozen=True)
class Backlog:
    """Files that one brick knows to be healed; None for a brick that could not be asked."""

    entries: int | None
    files: tuple[str, ...] = ()


def parse_answer(text: str, what: str) -> ElementTree.Element:
    """The answer's tree. Raises Unreadable for what is no answer, PlatformError when the answer is an error."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Unreadable("gluster {0} answered a document that declares entities".format(what))
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  (nothing is declared in it)
    except ElementTree.ParseError as error:
        said = text.strip()[:200] or "nothing"
        raise Unreadable("gluster {0} did not answer XML ({1}): {2}".format(what, error, said)) from error
    code = root.findtext("opRet")
    if root.tag != "cliOutput" or code is None:
        raise Unreadable("gluster {0} did not answer <cliOutput>".format(what))
    if code.strip() != "0":
        reason = root.findtext("opErrstr") or root.findtext("output") or "no reason given"
        raise PlatformError("gluster {0} failed: {1}".format(what, " ".join(reason.split())))
    return root


def parse_peers(root: ElementTree.Element) -> list[Peer]:
    """The answer of `peer status`: every server but the one that was asked."""
    return [
        Peer(
            uuid=_text(peer, "uuid"),
            names=tuple(name.text or "" for name in peer.findall("hostnames/hostname")) or (_text(peer, "hostname"),),
            connected=_text(peer, "connected") == "1",
            member=_text(peer, "state") == IN_CLUSTER,
        )
        for peer in root.findall("peerStatus/peer")
    ]


def named(peers: list[Peer], volume: Volume | None) -> list[Peer]:
    """The servers, each known first by the address that its brick is declared with.

    The server that has met the others is known to them by whatever its address resolves to.
    """
    declared = {brick.uuid: brick.name.partition(":")[0] for brick in (volume.bricks if volume else ())}
    return [
        replace(peer, names=tuple(dict.fromkeys((declared[peer.uuid], *peer.names)))) if peer.uuid in declared else peer
        for peer in peers
    ]


def parse_volumes(root: ElementTree.Element) -> dict[str, Volume]:
    """The answer of `volume info`, by name."""
    found = [_volume(volume) for volume in root.findall("volInfo/volumes/volume")]
    return {volume.name: volume for volume in found}


def parse_status(root: ElementTree.Element) -> dict[str, Process]:
    """The answer of `volume status NAME detail`, by brick. A brick whose server is gone is not in it."""
    return {
        "{0}:{1}".format(_text(node, "hostname"), _text(node, "path")): Process(
            online=_text(node, "status") == "1",
            # Of a brick that does not run only some answers tell them.
            size=_number(node, "sizeTotal") if node.find("sizeTotal") is not None else 0,
            free=_number(node, "sizeFree") if node.find("sizeFree") is not None else 0,
        )
        for node in root.findall("volStatus/volumes/volume/node")
        if _text(node, "path").startswith("/")
    }


def parse_clients(root: ElementTree.Element) -> dict[str, frozenset[str]]:
    """The answer of `volume status NAME clients`: addresses that each brick has connections from."""
    return {
        "{0}:{1}".format(_text(node, "hostname"), _text(node, "path")): frozenset(
            _text(client, "hostname").rpartition(":")[0] for client in node.findall("clientsStatus/client")
        )
        for node in root.findall("volStatus/volumes/volume/node")
        if _text(node, "path").startswith("/")
    }


def parse_heal(root: ElementTree.Element) -> dict[str, Backlog]:
    """The answer of `volume heal NAME info`, or of `... info split-brain`, by brick."""
    found = {}
    for brick in root.findall("healInfo/bricks/brick"):
        count = _text(brick, "numberOfEntries")
        files = tuple(sorted(file.text or file.get("gfid") or "?" for file in brick.findall("file")))
        found[_text(brick, "name")] = Backlog(int(count) if count.isdecimal() else None, files)
    return found


def _volume(node: ElementTree.Element) -> Volume:
    return Volume(
        name=_text(node, "name"),
        id=_text(node, "id"),
        started=_text(node, "statusStr") == "Started",
        replica=_number(node, "replicaCount"),
        arbiter=_number(node, "arbiterCount"),
        bricks=tuple(
            Brick(_text(brick, "name"), _text(brick, "hostUuid"), _text(brick, "isArbiter") == "1")
            for brick in node.findall("bricks/brick")
        ),
        options={_text(option, "name"): option.findtext("value") or "" for option in node.findall("options/option")},
    )


def _text(node: ElementTree.Element, name: str) -> str:
    text = node.findtext(name)
    if text is None:
        raise Unreadable("gluster answered a <{0}> without <{1}>".format(node.tag, name))
    return text.strip()


def _number(node: ElementTree.Element, name: str) -> int:
    text = _text(node, name)
    if not text.isdecimal():
        raise Unreadable("gluster answered {0!r} as <{1}>, which is no number".format(text[:40], name))
    return int(text)

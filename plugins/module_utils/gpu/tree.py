# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads an XML document that declares nothing, within bounds of size and depth."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

from ..errors import Unreadable

# Sixteen GPUs with all their clocks are one mebibyte.
MAX_CHARACTERS = 16 * 1024 * 1024
MAX_DEPTH = 32


@dataclass
class Node:
    """An element: its name, attributes, own text and elements."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def find(self, path: str) -> Node | None:
        """The first element at a path of names with slashes."""
        node: Node | None = self
        for name in path.split("/"):
            node = next((child for child in node.children if child.tag == name), None) if node else None
        return node

    def all(self, name: str) -> list[Node]:
        """Its own elements of this name."""
        return [child for child in self.children if child.tag == name]


class _Builder:
    """What the parser tells, as a tree."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.open: list[Node] = []
        self.system_id = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise Unreadable("the answer is nested deeper than {0} elements".format(MAX_DEPTH))
        node = Node(tag, dict(attributes))
        if self.open:
            self.open[-1].children.append(node)
        else:
            self.root = node
        self.open.append(node)

    def end(self, _tag: str) -> None:
        self.open.pop()

    def data(self, text: str) -> None:
        if self.open:
            self.open[-1].text += text

    def doctype(self, _name: str, system_id: str | None, _public_id: str | None, internal: bool) -> None:
        if internal:
            raise Unreadable("the answer declares things of its own, which no answer of nvidia-smi does")
        self.system_id = system_id or ""

    def refuse(self, *_what: object) -> int:
        raise Unreadable("the answer uses entities, which no answer of nvidia-smi does")


def parse(text: str) -> tuple[Node, str]:
    """The document's root, and the name of its DTD, which is never fetched.

    Raises Unreadable; for a document that was cut off it says where.
    """
    if len(text) > MAX_CHARACTERS:
        raise Unreadable("the answer is longer than {0} characters".format(MAX_CHARACTERS))
    builder = _Builder()
    # The text has been decoded: what it says about its encoding no longer holds.
    parser = expat.ParserCreate("UTF-8")
    # Text in one piece for each element, or a long one is joined a thousand times.
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = builder.doctype
    parser.EntityDeclHandler = builder.refuse
    parser.SkippedEntityHandler = builder.refuse
    parser.ExternalEntityRefHandler = builder.refuse
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        raise Unreadable(_cut(builder, str(error))) from error
    if builder.root is None:
        raise Unreadable("the answer has no element")
    return builder.root, builder.system_id


def _cut(builder: _Builder, error: str) -> str:
    place = "/".join(node.tag[:40] for node in builder.open[:8])
    if not place:
        return "the answer is no whole document ({0})".format(error)
    return "the answer is cut off or broken inside {0} ({1})".format(place, error)

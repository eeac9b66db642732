# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An answer is whole and declares nothing, or it is refused with the reason."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu import tree
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.tree import parse

LAUGHS = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'
FILE = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
PARAMETER = '<!DOCTYPE a [<!ENTITY % b SYSTEM "file:///etc/passwd"> %b;]><a/>'
DEFAULT = '<!DOCTYPE a [<!ATTLIST a b CDATA "of its own">]><a/>'
FOREIGN = '<!DOCTYPE a SYSTEM "b.dtd"><a>&unknown;</a>'


def test_elements_attributes_and_text():
    root, schema = parse('<?xml version="1.0" ?>\n<!DOCTYPE a SYSTEM "v.dtd">\n<a><b id="1">x &amp; y</b><b/></a>')
    assert (root.tag, schema, len(root.all("b"))) == ("a", "v.dtd", 2)
    found = root.find("b")
    assert found is not None
    assert (found.attributes, found.text) == ({"id": "1"}, "x & y")
    assert root.find("b/c/d") is None


@pytest.mark.parametrize("text", [LAUGHS, FILE, PARAMETER, DEFAULT, FOREIGN])
def test_entities_are_refused(text):
    with pytest.raises(Unreadable, match=r"declares|entities"):
        parse(text)


def test_depth_is_bounded():
    with pytest.raises(Unreadable, match="deeper"):
        parse("<a>" * 100000)


def test_size_is_bounded(monkeypatch):
    monkeypatch.setattr(tree, "MAX_CHARACTERS", 100)
    with pytest.raises(Unreadable, match="longer"):
        parse("<a>" + "x" * 100 + "</a>")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no whole document"),
        ("nothing", "no whole document"),
        ("<a><b><c>1</c>", "inside a/b"),
        ("<a><b>1</a>", "inside a/b"),
        ("<a></a><a>", "no whole document"),
        ("<a>\x00</a>", "inside a"),
        ("<a>\ud800</b>", "inside a"),
    ],
)
def test_what_was_cut_is_said(text, reason):
    with pytest.raises(Unreadable, match=reason):
        parse(text)


def test_what_it_says_of_its_encoding_no_longer_holds():
    assert parse('<?xml version="1.0" encoding="utf-16"?><a>\u00e9</a>')[0].text == "\u00e9"

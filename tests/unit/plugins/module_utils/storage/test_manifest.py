# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests: what is told apart, and what is not believed."""

from __future__ import annotations

import hashlib
import json

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Refused, Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage.manifest import (
    Entry,
    Manifest,
    check_names,
    check_path,
    compare,
    parse_manifest,
)
from hypothesis import given
from hypothesis import strategies as st

A, B = (hashlib.sha256(text).hexdigest() for text in (b"a", b"b"))
ONE = Manifest("tiny", "1", (Entry("tiny.gguf", 1, A),))
TWO = Manifest("tiny", "2", (Entry("a/x", 1, A), Entry("b", 2, B)))


def test_a_single_files_digest_is_the_files_own():
    assert (ONE.digest, ONE.size) == (A, 1)
    assert TWO.size == 3
    assert TWO.digest == hashlib.sha256(f"{A}  a/x\n{B}  b\n".encode()).hexdigest()


@pytest.mark.parametrize("manifest", [ONE, TWO])
def test_a_document_is_read_back(manifest):
    assert parse_manifest(manifest.document()) == manifest


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../etc"},
        {"version": ""},
        {"files": []},
        {"files": 5},
        {"sha256": B},
        {"files": [{"path": "../x", "size": 1, "sha256": A}]},
        {"files": [{"path": "/x", "size": 1, "sha256": A}]},
        {"files": [{"path": "x", "size": -1, "sha256": A}]},
        {"files": [{"path": "x", "size": True, "sha256": A}]},
        {"files": [{"path": "x", "size": 1, "sha256": "a"}]},
        {"files": [{"path": "x", "size": 1, "sha256": A}, {"path": "x", "size": 1, "sha256": A}]},
        {"files": [{"path": "manifest.json", "size": 1, "sha256": A}]},
    ],
)
def test_a_manifest_that_is_not_believed(change):
    with pytest.raises(Unreadable, match="no manifest"):
        parse_manifest(json.dumps({**json.loads(ONE.document()), **change}))


@given(st.text(max_size=200) | st.binary(max_size=50).map(lambda data: data.decode("latin-1")))
def test_no_text_does_more_than_be_refused(text):
    try:
        parse_manifest(text)
    except PlatformError:
        pass


@given(st.text(max_size=40))
def test_no_path_leads_out_of_its_artifact(path):
    try:
        check_path(path)
    except Refused:
        return
    parts = path.split("/")
    assert ".." not in parts
    assert "" not in parts
    assert parts[0] != "manifest.json"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".x", "A", "a" * 65, "a\n"])
def test_names_stay_in_the_store(name):
    with pytest.raises(Refused):
        check_names(name, "1")
    with pytest.raises(Refused):
        check_names("tiny", name)


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ({"a/x": (1, A), "b": (2, B)}, []),
        ({"b": (2, B)}, ["a/x is missing"]),
        ({"a/x": (1, A), "b": (2, B), "c": (1, A)}, ["c does not belong there"]),
        ({"a/x": (1, B), "b": (2, B)}, [f"a/x has sha256 {B}, not {A}"]),
        ({"a/x": (9, A), "b": (2, B)}, ["a/x has 9 bytes, not 1"]),
    ],
)
def test_compare(found, wrong):
    assert compare(TWO, found) == wrong

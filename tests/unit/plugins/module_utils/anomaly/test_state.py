# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was written comes back whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly import state
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Unreadable

RECORDS = [["a", "series", ["x"], None, {"n": 1}], ["b", "series", ["y"], 2.5, {}]]


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "state")


def signed(*lines):
    """A file whose sum is right, whatever it says."""
    text = b"".join(line + b"\n" for line in lines)
    return text + json.dumps({"lines": len(lines), "sha256": hashlib.sha256(text).hexdigest()}).encode() + b"\n"


def refused(path, match):
    with pytest.raises(Unreadable, match=match):
        list(state.load(path))


def test_it_comes_back(path):
    state.save(path, {"saved": 7.0}, iter(RECORDS))
    header, *records = state.load(path)
    assert (header["saved"], records) == (7.0, RECORDS)
    assert os.stat(path).st_mode & 0o777 == 0o640
    assert os.listdir(os.path.dirname(path)) == ["state"]


def test_there_is_nothing_at_first(path):
    assert list(state.load(path)) == []


def test_what_fails_leaves_the_old_one(path):
    state.save(path, {"saved": 7.0}, RECORDS)

    def fails():
        yield RECORDS[0]
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        state.save(path, {}, fails())
    assert len(list(state.load(path))) == 3
    assert os.listdir(os.path.dirname(path)) == ["state"]


def test_wherever_it_is_torn_it_is_refused(path):
    state.save(path, {"saved": 7.0}, RECORDS)
    with open(path, "rb") as stream:
        whole = stream.read()
    for length in range(len(whole)):
        with open(path, "wb") as stream:
            stream.write(whole[:length])
        refused(path, ".")


def test_whatever_bit_is_turned_it_is_refused(path):
    state.save(path, {"saved": 7.0}, RECORDS)
    with open(path, "rb") as stream:
        whole = stream.read()
    for place in range(len(whole)):
        with open(path, "wb") as stream:
            stream.write(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        refused(path, ".")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "line 1 is not JSON"),
        (b"\n\n\n", "is not JSON"),
        (b"\xff" * 1000 + b"\n", "is not JSON"),
        (b"[" * 100000 + b"\n", "is not JSON"),
        (b"a" * (2 * 1024 * 1024), "line 1 has no end"),
        (signed(b"[]"), "not a state of this program"),
        (signed(b'{"format":"other","version":1}'), "not a state of this program"),
        (signed(b'{"format":"steadfast-anomaly-state","version":2}'), "it has version '2', not 1"),
        (signed(b'{"format":"steadfast-anomaly-state","version":1}', b"{"), "line 2 is not JSON"),
    ],
)
def test_what_is_no_state(path, content, match):
    with open(path, "wb") as stream:
        stream.write(content)
    refused(path, match)


def test_a_folder_or_a_pipe_in_its_place(path, tmp_path):
    os.mkdir(path)
    refused(path, r".")
    os.mkfifo(tmp_path / "pipe")
    refused(str(tmp_path / "pipe"), "it is no file")


def test_it_is_put_aside(path):
    state.save(path, {}, [])
    assert state.put_aside(path) == path + ".bad"
    assert not os.path.exists(path)

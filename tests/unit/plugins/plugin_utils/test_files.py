# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are whole or not there."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils.files import read_from, write_whole


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    write_whole(str(path), "new \ud800", 0o644)
    assert path.read_text() == "new ?"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [*tmp_path.iterdir()] == [path]


def test_what_cannot_be_put_in_place_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        write_whole(str(tmp_path / "folder"), "new", 0o644)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_reading_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abcdef")
    assert read_from(str(path), 2) == b"cdef"
    assert read_from(str(tmp_path / "none")) == b""

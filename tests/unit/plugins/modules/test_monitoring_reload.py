# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files a service has not read yet."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ansible_collections.steadfast.ai_platform.plugins.modules.monitoring_reload import newer


def test_a_file_that_is_moved_into_place_is_newer_than_its_content(tmp_path: Path) -> None:
    written = tmp_path / "written"
    written.write_text("old")
    os.utime(written, (0, 0))
    loaded_at = time.time() - 3600
    place = tmp_path / "prometheus.yml"
    written.rename(place)
    assert newer([str(place)], loaded_at) == [str(place)]
    assert newer([str(place)], time.time() + 3600) == []


def test_a_folder_counts_with_what_is_in_it_and_with_what_was_removed(tmp_path: Path) -> None:
    (tmp_path / "node.yml").write_text("groups: []")
    assert newer([str(tmp_path)], time.time() - 3600) == [str(tmp_path), str(tmp_path / "node.yml")]


def test_a_missing_file_is_none(tmp_path: Path) -> None:
    assert newer([str(tmp_path / "absent")], 0) == []

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module on its own: what it writes, and what it refuses to."""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.steadfast.ai_platform.plugins.modules import python_program

FILES = {"tick.py": "import steadfast_platform.atomic\n", "steadfast_platform/atomic.py": "ONE = 1\n"}


@pytest.fixture
def install(tmp_path: Path):
    before = os.umask(0o077)

    def run(files=None, folder=tmp_path / "libexec" / "steadfast", **more):
        given = {"src": "tick.py", "folder": str(folder), "files": FILES if files is None else files, **more}
        out = io.StringIO()
        with patch_module_args(given), contextlib.redirect_stdout(out), pytest.raises(SystemExit):
            python_program.main()
        return json.loads(out.getvalue())

    yield run
    os.umask(before)


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_it_installs_once_and_for_everybody(install, tmp_path: Path) -> None:
    folder = tmp_path / "libexec" / "steadfast"
    check = install(_ansible_check_mode=True, _ansible_diff=True)
    assert check["changed"] is True
    assert [(each["before"], each["after"]) for each in check["diff"]] == [("", text) for text in FILES.values()]
    assert not folder.exists()
    assert install()["changed_files"] == [str(folder / name) for name in FILES]
    assert contents(folder) == FILES
    assert {oct(path.stat().st_mode & 0o777) for path in folder.rglob("*.py")} == {"0o644"}
    assert {oct(path.stat().st_mode & 0o777) for path in (folder, folder / "steadfast_platform")} == {"0o755"}
    again = install(_ansible_diff=True)
    assert (again["changed"], again["diff"], again["changed_files"]) == (False, [], [])


def test_what_differs_is_replaced_and_others_stay(install, tmp_path: Path) -> None:
    folder = tmp_path / "libexec" / "steadfast"
    install()
    (folder / "tick.py").chmod(0o600)
    (folder / "steadfast_platform" / "other.py").write_text("another program's\n")
    assert install()["changed_files"] == [str(folder / "tick.py")]
    assert contents(folder) == {**FILES, "steadfast_platform/other.py": "another program's\n"}


@pytest.mark.parametrize("name", ["/etc/passwd", "../tick.py", "a/../../tick.py"])
def test_nothing_is_written_outside(install, tmp_path: Path, name: str) -> None:
    assert "is not inside" in install({name: "x"})["msg"]
    assert contents(tmp_path) == {}


def test_a_folder_that_others_can_write_is_refused(install, tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    assert "can be written by others" in install(folder=folder)["msg"]
    assert contents(folder) == {}


def test_without_files_it_says_whose_they_are(install) -> None:
    assert "needs Ansible on the controller" in install({})["msg"]

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files a program needs on a host."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils.program import parts


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("import json, os.path\n", []),
        ("from steadfast_platform import atomic\n", ["atomic.py"]),
        ("import steadfast_platform.exposition\n", ["exposition.py"]),
        ("from steadfast_platform.ledger.lease import Lease\n", ["errors.py", "ledger/lease.py"]),
        ("def later():\n    from steadfast_platform import atomic\n    return atomic\n", ["atomic.py"]),
        ("import beside\n", []),
    ],
    ids=["the library's", "a file", "by its full name", "a class, and what that needs", "in a function", "a neighbour"],
)
def test_what_is_imported_is_needed(tmp_path: Path, text: str, needed: list[str]) -> None:
    (tmp_path / "beside.py").write_text("VALUE = 1\n")
    program = tmp_path / "program.py"
    program.write_text(text)
    found = parts(program)
    beside = ["beside.py"] if "beside" in text else []
    assert sorted(found) == sorted(["program.py", *beside, *(f"steadfast_platform/{name}" for name in needed)])
    assert found["program.py"] == text


@pytest.mark.parametrize("name", ["anomaly.daemon", "gpu.probe", "rollout.deadman_service", "storage.cache"])
def test_nothing_is_missed(tmp_path: Path, name: str) -> None:
    """What talks can be imported where there is only what was found for it."""
    dotted = f"steadfast_platform.{name}"
    program = tmp_path / "program.py"
    program.write_text(f"import {dotted}\n")
    for needed, text in parts(program).items():
        (tmp_path / needed).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / needed).write_text(text)
    asked = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import program"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", asked], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_program_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("def (:\n")
    for path in (broken, tmp_path / "absent.py"):
        with pytest.raises(Refused, match="is no program that can be installed"):
            parts(path)

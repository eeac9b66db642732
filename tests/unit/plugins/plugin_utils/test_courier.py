# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module carried to a host answers as it does under Ansible, and what is no answer is a failure."""

from __future__ import annotations

import subprocess
import sys

import pytest
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils import courier


def ask(module, arguments, before=""):
    """Run the program as a host would: by a bare Python, from its standard input."""
    done = subprocess.run(
        [sys.executable, "-I", "-"],
        input=courier.parcel(module, arguments),
        capture_output=True,
        text=True,
        check=False,
    )
    return courier.opened({"stdout": before + done.stdout, "stderr": done.stderr, "rc": done.returncode})


INFO, WRITE = "steadfast.ai_platform.rollout_ledger_info", "steadfast.ai_platform.rollout_ledger"


def test_a_module_answers_and_what_it_wrote_is_there(tmp_path):
    where = {"pool": "serving", "folder": str(tmp_path)}
    taken = ask(WRITE, {**where, "action": "take", "owner": "me", "fence": "1", "run": "r"})
    assert taken["changed"] is True
    assert taken["left"] == pytest.approx(60, abs=5)
    found = ask(INFO, where, before="Welcome to this host!\n")
    assert found["lease"]["owner"] == "me"
    assert found["journal"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({}, "missing required arguments: pool"), ({"pool": "p", "colour": "red"}, "Unsupported parameters: colour")],
)
def test_wrong_arguments_are_said(arguments, message):
    result = ask(INFO, arguments)
    assert (result["failed"], result["msg"]) == (True, message)


def test_a_modules_own_failure_keeps_its_evidence(tmp_path):
    folder = tmp_path / "serving"
    folder.mkdir()
    (folder / "journal").write_text("nonsense\nmore\n")
    result = ask(INFO, {"pool": "serving", "folder": str(tmp_path)})
    assert result["failed"] is True
    assert "line 1 of the journal" in result["msg"]


@pytest.mark.parametrize("stdout", ["", "no answer here", courier.MARK + "{not json", "x" + courier.MARK + "{}"])
def test_what_is_no_answer_is_a_failure_with_what_was_there(stdout):
    result = courier.opened({"stdout": stdout, "stderr": "container is not running", "rc": 1})
    assert result["failed"] is True
    assert result["module_stderr"] == "container is not running"

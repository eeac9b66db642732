# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it, with a program in the place of nvidia-smi."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError
from ansible_collections.steadfast.ai_platform.plugins.modules.gpu_health_info import main, overrides, plain

from tests.unit.plugins.module_utils.gpu.answers import text


@pytest.fixture(name="played")
def _played(capsys, tmp_path):
    def play(**arguments):
        with patch_module_args({"_ansible_remote_tmp": str(tmp_path), **arguments}), pytest.raises(SystemExit):
            main()
        return json.loads(capsys.readouterr().out)

    return play


def script(tmp_path: Path, answer: str) -> str:
    """A program that answers so, whatever it is asked."""
    program = tmp_path / "nvidia-smi"
    (tmp_path / "answer").write_text(answer, encoding="utf-8")
    program.write_text(f"#!/bin/sh\ncat {tmp_path / 'answer'}\n", encoding="utf-8")
    program.chmod(0o755)
    return str(program)


def test_gpus_that_are_there(tmp_path, played):
    answer = text("v13")
    said = played(nvidia_smi=script(tmp_path, answer), expected_count=2, expected_model="B-13")
    assert (said["changed"], said["present"], len(said["gpus"])) == (False, True, 2)
    assert said["gpus"][0]["volatile"]["dram_uncorrected"] == 0
    # Whether the machine that runs this test lets it read the kernel's log is not for the test to say.
    assert {one["kind"] for one in said["findings"]} <= {"log unknown"}
    assert (said["verdict"] == "healthy") is (said["findings"] == [])
    again = played(nvidia_smi=script(tmp_path, answer), previous=said["state"])
    assert set(again["state"]) == set(said["state"])


def test_a_host_without_gpus_is_said_to_be_one_unless_some_are_expected(tmp_path, played):
    said = played(nvidia_smi=str(tmp_path / "absent"))
    if said.get("present"):
        pytest.skip("this machine has an NVIDIA GPU")
    assert (said["present"], said["verdict"], said["action"], said["findings"]) == (False, "healthy", "none", [])
    assert said["text"] == "there is no NVIDIA GPU"
    failed = played(nvidia_smi=str(tmp_path / "absent"), expected_count=8)
    assert (failed["failed"], failed["present"]) == (True, False)
    assert failed["msg"] == "8 GPUs are expected and there is no sign of any"


def test_an_override_that_must_not_be_is_a_failure(tmp_path, played):
    said = played(nvidia_smi=str(tmp_path / "absent"), overrides={"45": "reboot"})
    assert said["failed"]
    assert "45" in said["msg"]


def test_codes_are_numbers_whatever_yaml_made_of_them():
    assert overrides({"94": "none", 31: "reboot"}) == {94: "none", 31: "reboot"}
    with pytest.raises(PlatformError, match="fatal"):
        overrides({"fatal": "none"})


def test_records_become_plain_data():
    assert plain({1: (frozenset({"b", "a"}), None)}) == {"1": [["a", "b"], None]}

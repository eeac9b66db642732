# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the probe as its timer has it: two files and an exit status."""

from __future__ import annotations

import json

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu import probe
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.judge import Seen
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.refusals import Answer, understand

from tests.unit.plugins.module_utils.gpu.answers import BOOT, NOW, changed, text


@pytest.fixture(name="host")
def _host(monkeypatch, tmp_path):
    answer = {"text": text("v13"), "status": 0, "now": NOW, "events": []}

    class Node:
        def __init__(self, *_arguments):
            pass

        def look(self, _since, _nvlinks):
            return Seen(understand(Answer(answer["status"], answer["text"])), answer["events"], answer["now"], BOOT)

    monkeypatch.setattr(probe, "Node", Node)
    answer["argv"] = ["--textfile", str(tmp_path / "gpu.prom"), "--state", str(tmp_path / "state.json")]
    answer["metrics"], answer["state"] = tmp_path / "gpu.prom", tmp_path / "state.json"
    return answer


def test_a_host_that_is_well(host, capsys):
    assert probe.main([*host["argv"], "--expected-count", "2"]) == 0
    assert capsys.readouterr().out == "the GPUs are healthy\n"
    assert "steadfast_gpu_expected_count 2.0" in host["metrics"].read_text()
    assert len(json.loads(host["state"].read_text())) == 2


def test_while_it_fails_the_load_agent_is_told(host, tmp_path):
    verdict = tmp_path / "verdict.json"
    argv = [*host["argv"], "--verdict", str(verdict)]
    assert probe.main(argv) == 0
    assert not verdict.exists()
    assert probe.main([*argv, "--expected-count", "8"]) == 2
    told = json.loads(verdict.read_text())
    assert told["verdict"] == "down"
    assert "8" in told["reason"]
    # Degraded is no reason to leave.
    assert probe.main([*argv, "--expected-mig", "on"]) == 1
    assert not verdict.exists()
    # Somebody else's verdict is not the probe's to take back.
    verdict.write_text('{"verdict": "drain", "reason": "maintenance"}')
    assert probe.main(argv) == 0
    assert json.loads(verdict.read_text())["verdict"] == "drain"


def test_counters_are_compared_with_the_last_look(host):
    host["text"] = changed("v13", "remapped_row_unc", "3")
    assert probe.main(host["argv"]) == 0
    host.update(text=changed("v13", "remapped_row_unc", "4"), now=NOW + 60)
    assert probe.main(host["argv"]) == 1
    host["state"].write_text("{broken")
    assert probe.main(host["argv"]) == 0


def test_modes_that_are_expected(host):
    assert probe.main([*host["argv"], "--expected-ecc", "on", "--expected-mig", "off"]) == 0
    assert probe.main([*host["argv"], "--expected-mig", "on"]) == 1


def test_a_host_that_failed_and_one_whose_log_is_not_known(host):
    assert probe.main([*host["argv"], "--expected-count", "8"]) == 2
    host["events"] = None
    assert probe.main(host["argv"]) == 1
    assert "steadfast_gpu_probe_success 0.0" in host["metrics"].read_text()


def test_a_driver_that_hangs_has_no_count_of_gpus(host):
    host["status"] = None
    assert probe.main([*host["argv"], "--expected-count", "2"]) == 2
    told = host["metrics"].read_text()
    assert "steadfast_gpu_probe_success 0.0" in told
    assert "steadfast_gpu_count" not in told
    assert 'kind="nvidia-smi hangs",severity="critical",action="reboot"' in told
    assert 'kind="count"' not in told


def test_a_driver_that_finds_none_has_counted(host):
    host.update(status=6, text="No devices were found")
    assert probe.main([*host["argv"], "--expected-count", "2"]) == 2
    told = host["metrics"].read_text()
    assert "steadfast_gpu_count 0.0" in told
    assert "steadfast_gpu_probe_success 1.0" in told


@pytest.mark.parametrize("more", [["--override", "79=explode"], ["--override", "x=none"], ["--override", "45=reboot"]])
def test_what_is_not_understood_is_refused_and_nothing_written(host, more, capsys):
    assert probe.main([*host["argv"], *more]) == 3
    assert capsys.readouterr().err
    assert not host["metrics"].exists()


def test_a_folder_that_is_not_there_is_an_error(host, tmp_path):
    assert probe.main(["--textfile", str(tmp_path / "no/gpu.prom"), "--state", str(host["state"])]) == 3

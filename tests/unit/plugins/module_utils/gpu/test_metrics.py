# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prometheus is told: findings with their labels, and never a number that is not known."""

from __future__ import annotations

import re

from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.findings import Finding
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.judge import Judgement
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.kernel_log import Event
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.metrics import HELP, textfile
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.smi import read

from tests.unit.plugins.module_utils.gpu.answers import BOOT, NOW, changed, judged, text

U0, U1 = ("GPU-00000000-0000-0000-0000-00000000000" + end for end in "01")
LINE = re.compile(r'[a-z_]+(\{([a-z_]+="(?:[^"\\\n]|\\.)*",?)+\})? -?[0-9.e+]+')


def told(answer: str, expected: int | None = 2, **more) -> dict[str, float]:
    lines = textfile(judged(answer, **more), read(answer).gpus, expected, NOW, True).splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    assert all(LINE.fullmatch(line) for line in samples)
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in samples)}


def test_a_host_that_is_well():
    samples = told(text("v13"))
    assert samples["steadfast_gpu_count"] == samples["steadfast_gpu_expected_count"] == 2
    assert samples["steadfast_gpu_probe_success"] == samples["steadfast_gpu_node_healthy"] == 1
    assert samples["steadfast_gpu_probe_last_run_timestamp_seconds"] == NOW
    assert samples[f'steadfast_gpu_healthy{{gpu="1",uuid="{U1}"}}'] == 1
    assert samples[f'steadfast_gpu_temperature_celsius{{gpu="0",uuid="{U0}"}}'] == 61
    assert samples[f'steadfast_gpu_utilization_ratio{{gpu="0",uuid="{U0}"}}'] == 0.9
    assert not [name for name in samples if name.startswith("steadfast_gpu_finding")]


def test_a_finding_has_the_labels_that_the_alerts_read():
    samples = told(text("v11"), events=[Event(NOW - 5, BOOT, "0000:42:00.0", "xid", 79)])
    labels = f'gpu="1",uuid="{U1}",serial="S0001",kind="xid 79",severity="critical",action="reboot"'
    assert samples[f"steadfast_gpu_finding{{{labels}}}"] == 1
    assert samples[f'steadfast_gpu_healthy{{gpu="0",uuid="{U0}"}}'] == 1
    assert samples[f'steadfast_gpu_healthy{{gpu="1",uuid="{U1}"}}'] == 0
    assert samples["steadfast_gpu_node_healthy"] == 0


def test_what_is_wrong_with_the_host_is_wrong_with_every_gpu():
    samples = told(changed("v13", "attached_gpus", "8"))
    assert samples[f'steadfast_gpu_healthy{{gpu="0",uuid="{U0}"}}'] == 0


def test_what_is_only_worth_knowing_is_not_told():
    samples = told(changed("v13", "pending_mig", "Enabled"))
    assert not [name for name in samples if name.startswith("steadfast_gpu_finding")]


def test_what_is_not_known_is_absent():
    samples = told(changed("v13", "gpu_temp", "N/A"), expected=None)
    assert f'steadfast_gpu_temperature_celsius{{gpu="0",uuid="{U0}"}}' not in samples
    assert "steadfast_gpu_expected_count" not in samples


def test_an_answer_that_could_not_be_read_has_no_count():
    judgement = Judgement("failed", [Finding("unknown", "critical", "x", "nvidia-smi")], "none", "", True)
    lines = textfile(judgement, None, 8, NOW, False).splitlines()
    assert "steadfast_gpu_probe_success 0.0" in lines
    assert not [line for line in lines if line.startswith("steadfast_gpu_count")]
    assert "steadfast_gpu_node_healthy 0.0" in lines


def test_the_same_finding_twice_is_one_line_and_texts_are_escaped():
    odd = Finding('a"b\\c\nd', "warning", "x", "nvidia-smi")
    lines = textfile(Judgement("degraded", [odd, odd], "none", "", True), (), None, NOW, True).splitlines()
    found = [line for line in lines if line.startswith("steadfast_gpu_finding")]
    assert len(found) == 1
    assert 'kind="a\\"b\\\\c\\nd"' in found[0]


def test_every_metric_is_explained_once():
    whole = textfile(judged(text("v13")), read(text("v13")).gpus, 2, NOW, True)
    assert whole.endswith("\n")
    for name in HELP:
        assert whole.count(f"# TYPE {name} gauge\n") == (name != "steadfast_gpu_finding")

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nvidia-smi's own words for what is wrong, each with what it asks for."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.findings import ACTIONS, SEVERITIES
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.refusals import MEANING, Answer, understand

from tests.unit.plugins.module_utils.gpu.answers import text

DRIVER = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA "
    "driver is installed and running."
)
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 550.54"
HANDLE = "Unable to determine the device handle for GPU0000:42:00.0: Unknown Error"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(9, DRIVER), "driver not loaded"),
        (Answer(9, DRIVER.replace("'", "\u2019")), "driver not loaded"),
        (Answer(18, MISMATCH), "driver mismatch"),
        (Answer(255, HANDLE), "GPU unreachable"),
        (Answer(15, "Unable to determine the device handle for gpu 0000:42:00.0: GPU is lost."), "GPU lost"),
        (Answer(0, "No devices were found"), "no devices"),
        (Answer(6, "No devices were found"), "no devices"),
        (Answer(255, "Failed to initialize NVML: Unknown Error"), "NVML fails"),
        (Answer(4, "Failed to initialize NVML: Insufficient Permissions"), "not permitted"),
        (Answer(12, "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system."), "library missing"),
        (Answer(255, "Unable to reset this GPU because it requires a reset"), "GPU needs reset"),
        (Answer(8, ""), "power cable"),
        (Answer(15, ""), "GPU lost"),
        (Answer(None), "nvidia-smi hangs"),
        (Answer(None, absent=True), "no nvidia-smi"),
    ],
)
def test_troubles(answer, kind):
    look = understand(answer)
    assert [trouble.kind for trouble in look.troubles] == [kind]
    assert look.gpus == ()


def test_a_trouble_names_the_gpu_that_has_it():
    assert understand(Answer(255, HANDLE)).troubles[0].bus == "0000:42:00.0"


def test_trouble_beside_an_answer_is_told_and_the_answer_is_read():
    warning = "WARNING: infoROM is corrupted at gpu 0000:41:00.0\n"
    look = understand(Answer(14, text("v13") + warning))
    assert ([one.kind for one in look.troubles], len(look.gpus)) == (["infoROM corrupt"], 2)
    assert understand(Answer(14, text("v13"))).troubles[0].kind == "infoROM corrupt"
    assert understand(Answer(77, text("v13"))).troubles[0].kind == "odd status"
    assert understand(Answer(15, HANDLE + "\n" + text("v13"))).troubles[0].bus == "0000:42:00.0"


@pytest.mark.parametrize("answer", [Answer(0), Answer(1, "hello"), Answer(0, "", "usage: ..."), Answer(-9, "")])
def test_no_answer_is_an_error(answer):
    with pytest.raises(Unreadable, match="neither what there is"):
        understand(answer)


def test_half_an_answer_is_an_error_whatever_the_status():
    for status in (0, 15, 255):
        with pytest.raises(Unreadable, match="cut off"):
            understand(Answer(status, text("v13")[:3000]))


def test_every_trouble_has_a_meaning_in_our_words():
    for severity, action, _person, words in MEANING.values():
        assert severity in SEVERITIES
        assert action in ACTIONS
        assert words

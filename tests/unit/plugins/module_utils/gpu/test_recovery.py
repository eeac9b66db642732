# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver's own word, as nvidia-smi shows it and as XID 154 tells it."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.recovery import recovery, told

CHANGED = "GPU recovery action changed from 0x0 (None) to 0x{0}"


@pytest.mark.parametrize(
    ("word", "action"),
    [
        ("None", "none"),
        ("Reset", "reset_gpu"),
        ("Reboot", "reboot"),
        ("Drain P2P", "restart_app"),
        ("Drain and Reset", "reset_gpu"),
        ("  drain  AND reset ", "reset_gpu"),
        ("Recover IMEX Domain", None),
    ],
)
def test_words_of_nvidia_smi(word, action):
    assert recovery(word).action == action


def test_silence_is_no_word():
    assert recovery(None) is None


@pytest.mark.parametrize(
    ("text", "action"),
    [
        (CHANGED.format("1 (GPU Reset Required)"), "reset_gpu"),
        (CHANGED.format("2 (Node Reboot Required)"), "reboot"),
        (CHANGED.format("1 (PF FLR)"), "reset_gpu"),
        ("GPU recovery action changed to 0x4 (Drain and Reset)", "reset_gpu"),
        ("GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)", "none"),
        (CHANGED.format("9 (Sing To It)"), None),
    ],
)
def test_words_of_xid_154(text, action):
    assert told(text).action == action


@pytest.mark.parametrize("text", ["", "GPU recovery action changed", "pid=1, something else (Node Reboot Required)"])
def test_other_texts_are_no_word(text):
    assert told(text) is None

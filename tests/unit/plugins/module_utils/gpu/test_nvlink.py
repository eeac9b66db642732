# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Active links by GPU. Written by hand after the documented form; not recorded."""

from __future__ import annotations

from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.nvlink import active_links

ANSWER = """GPU 0: Made-up H-12 (UUID: GPU-00000000-0000-0000-0000-000000000000)
\t Link 0: 26.562 GB/s
\t Link 1: 26.562 GB/s
\t Link 2: <inactive>
GPU 1: Made-up H-12 (UUID: GPU-00000000-0000-0000-0000-000000000001)
\t Link 0: <inactive>
GPU 2: Made-up P-9 (UUID: GPU-00000000-0000-0000-0000-000000000002)
NVML: Unable to retrieve NVLink information as all links are inActive
"""


def test_links_are_counted_and_silence_is_not_none():
    assert active_links(ANSWER) == {
        "GPU-00000000-0000-0000-0000-000000000000": 2,
        "GPU-00000000-0000-0000-0000-000000000001": 0,
    }


def test_other_words_are_no_links():
    assert active_links("Link 0: 26.562 GB/s\nGPU 0: x (UUID: none)\n\t Link 0: 26 GB/s\n\x00") == {}

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PCI address is one address, whoever wrote it."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.records import bus_id


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("00000000:0C:00.0", "0000:0c:00.0"),
        ("PCI:0000:0c:00", "0000:0c:00.0"),
        ("0000:0c:00.0", "0000:0c:00.0"),
        ("00010000:01:00.0", "10000:01:00.0"),
        ("0018:01:00", "0018:01:00.0"),
        (" 0000:0C:00.1 ", "0000:0c:00.1"),
        ("0c:00.0", None),
        ("GPU-0c", None),
        ("", None),
        ("0000:0c:00.0; reboot", None),
    ],
)
def test_addresses(said, address):
    assert bus_id(said) == address

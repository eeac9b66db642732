# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documented thresholds are those that are used."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.expect import LIMITS, Expect

DOCS = Path(__file__).resolve().parents[5] / "docs" / "gpu.md"


def test_nothing_is_expected_unless_said():
    assert {getattr(Expect(), field.name) for field in fields(Expect)} == {None}


def test_the_documentation_names_every_threshold_with_its_value():
    told = {}
    for line in DOCS.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 4:
            told[cells[0].strip("`")] = float(cells[1].replace(" ", ""))
    assert told == {field.name: float(getattr(LIMITS, field.name)) for field in fields(LIMITS)}

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measurements side by side."""

from __future__ import annotations

from typing import Any


def table(found: list[dict[str, Any]]) -> str:
    """The measurements for people."""
    columns = tuple(dict.fromkeys(key for each in found for key in each))
    rows = [columns, *(tuple(str(each.get(column, "")) for column in columns) for each in found)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)

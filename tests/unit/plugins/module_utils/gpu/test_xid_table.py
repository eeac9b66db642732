# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/gpu.md says of XIDs is what the code does."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.policy import POLICIES, Policy, decide
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.xid_policy import XIDS

from tests.unit.plugins.module_utils.gpu.xid_table import table

DOCS = Path(__file__).resolve().parents[5] / "docs" / "gpu.md"


def test_every_code_is_in_it_under_every_policy():
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table().splitlines()[2:]]
    assert [int(row[0]) for row in rows] == sorted(XIDS)
    for row in rows:
        told = [cell.split(",")[0] for cell in row[-3:]]
        assert told == [decide(int(row[0]), False, Policy(name)).action for name in POLICIES]


def test_the_documentation_is_up_to_date():
    """To renew it: put what table() returns in the place of the table."""
    assert table() in DOCS.read_text(encoding="utf-8")

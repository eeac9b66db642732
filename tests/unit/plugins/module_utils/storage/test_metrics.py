# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a storage server tells Prometheus: of a cluster that was whole, had lost a server, had lost two."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage.health import findings
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage.metrics import textfile

from tests.unit.plugins.module_utils.storage.test_health import seen


def told(name):
    found = seen(name)
    text = textfile("store", found, findings(found, 0.0), 1000.0)
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


@pytest.mark.parametrize(("name", "online"), [("whole", 3), ("gone", 2), ("lost", 0)])
def test_bricks_that_run(name, online):
    bricks = [value for key, value in told(name).items() if key.startswith("steadfast_store_brick_online")]
    assert sorted(bricks, reverse=True) == ["1.0"] * online + ["0.0"] * (3 - online)


def test_what_is_to_be_healed_is_told_or_absent_and_never_zero_by_mistake():
    assert told("whole")['steadfast_store_heal_pending_files{volume="store"}'] == "0.0"
    assert 'steadfast_store_heal_pending_files{volume="store"}' not in told("gone")
    assert 'steadfast_store_split_brain_files{volume="store"}' not in told("lost")


def test_findings_are_counted_by_kind():
    assert told("whole")['steadfast_store_findings{volume="store",kind="client apart"}'] == "0.0"
    assert told("gone")['steadfast_store_findings{volume="store",kind="brick offline"}'] == "1.0"


def test_a_daemon_that_does_not_answer_is_told():
    assert [line for line in textfile("store", None, [], 5.0).splitlines() if not line.startswith("#")] == [
        'steadfast_store_last_run_timestamp_seconds{volume="store"} 5.0',
        'steadfast_store_last_run_success{volume="store"} 0.0',
    ]

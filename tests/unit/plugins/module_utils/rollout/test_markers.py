# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prometheus is told of a pool's ledger."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.ledger.records import Record
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.markers import seconds, textfile

PLAN = {"pool": "serving", "release": "r2", "batches": [["gpu1"], ["gpu2", "gpu3"]]}


def record(seq, event, **data):
    return Record(seq, 1, "run1", event, "2026-01-01T00:00:0{0}.000+00:00".format(seq), data)


OPENED = record(1, "run_opened", plan=PLAN)


def samples(pools):
    return [line for line in textfile(pools).splitlines() if not line.startswith("#")]


def test_a_pool_that_was_never_changed():
    assert samples({"serving": (False, [])}) == ['steadfast_pool_held{pool="serving"} 0.0']


def test_a_run_in_the_middle():
    journal = [OPENED, record(2, "draining", batch=0), record(3, "verified", batch=0), record(4, "draining", batch=1)]
    assert samples({"serving": (True, journal)}) == [
        'steadfast_pool_held{pool="serving"} 1.0',
        'steadfast_pool_run_open{pool="serving"} 1.0',
        'steadfast_pool_servers_in_change{pool="serving"} 2.0',
        'steadfast_pool_run_began_timestamp_seconds{pool="serving",run="run1",release="r2"} 1767225601.0',
    ]


def test_a_run_that_ended():
    journal = [OPENED, record(2, "draining", batch=0), record(3, "run_closed", outcome="reverted", reason="a gate")]
    told = samples({"serving": (False, journal)})
    assert 'steadfast_pool_servers_in_change{pool="serving"} 0.0' in told
    assert told[-1] == (
        'steadfast_pool_run_ended_timestamp_seconds{pool="serving",run="run1",release="r2",outcome="reverted"} '
        "1767225603.0"
    )


def test_what_a_journal_holds_cannot_break_out_of_a_label():
    hostile = record(1, "run_opened", plan={**PLAN, "release": 'r"2\n\\'})
    assert 'release="r\\"2\\n\\\\"' in textfile({"serving": (False, [hostile])})


def test_a_metric_has_its_help_once():
    text = textfile({"a": (False, [OPENED]), "b": (True, [OPENED])})
    assert text.count("# TYPE steadfast_pool_held gauge") == 1
    assert text.endswith("\n")


@pytest.mark.parametrize(("stamp", "expected"), [("1970-01-01T00:00:01Z", 1.0), ("yesterday", None), ("", None)])
def test_seconds(stamp, expected):
    assert seconds(stamp) == expected

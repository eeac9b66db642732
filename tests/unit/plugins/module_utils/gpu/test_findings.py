# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One order of findings, one verdict, one action."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.findings import (
    Finding,
    needed,
    verdict,
    worst_action,
    worst_first,
)

MILD = Finding("memory left over", "info", "some memory", "nvidia-smi")
WARM = Finding("hot", "warning", "warm", "nvidia-smi", index=1)
APP = Finding("xid 31", "warning", "restart it", "kernel log", "restart_app", index=0)
GONE = Finding("xid 79", "critical", "it is gone", "kernel log", "reboot", index=0)


@pytest.mark.parametrize(
    ("found", "word"),
    [([], "healthy"), ([MILD], "healthy"), ([MILD, WARM], "degraded"), ([GONE, MILD], "failed")],
)
def test_the_verdict_is_that_of_the_worst(found, word):
    assert verdict(found) == word


@pytest.mark.parametrize("found", list(itertools.permutations([MILD, WARM, APP, GONE])))
def test_the_order_of_finding_is_of_no_matter(found):
    assert worst_first(list(found)) == [GONE, APP, WARM, MILD]
    assert needed(list(found)) == ("reboot", "it is gone")


def test_nothing_is_needed_when_nothing_asks():
    assert needed([WARM]) == ("none", "")
    assert worst_action([]) == "none"

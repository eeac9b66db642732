# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gauges as Prometheus reads them."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.exposition import gauges

ABOUT = {"up": "Whether it is up.", "size": "How large it is.", "unused": "Nobody tells it."}


def test_metrics_come_in_their_order_each_with_its_help_once():
    samples = [("size", {"name": "b"}, 2), ("up", {}, True), ("size", {"name": "a"}, 1.5)]
    assert gauges(ABOUT, samples).splitlines() == [
        "# HELP up Whether it is up.",
        "# TYPE up gauge",
        "up 1.0",
        "# HELP size How large it is.",
        "# TYPE size gauge",
        'size{name="a"} 1.5',
        'size{name="b"} 2.0',
    ]
    assert gauges(ABOUT, []) == ""


def test_a_label_cannot_break_out():
    assert 'up{name="a\\"\\n\\\\"} 1.0\n' in gauges(ABOUT, [("up", {"name": 'a"\n\\'}, 1)])


def test_of_two_the_later_counts():
    assert gauges(ABOUT, [("up", {"name": "a"}, 0), ("up", {"name": "a"}, 1)]).endswith('up{name="a"} 1.0\n')


def test_what_has_no_help_is_a_mistake():
    with pytest.raises(KeyError):
        gauges(ABOUT, [("other", {}, 1)])

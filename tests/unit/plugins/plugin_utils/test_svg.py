# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's plots."""

from __future__ import annotations

import re

from ansible_collections.steadfast.ai_platform.plugins.plugin_utils import svg


def lines(plot: str) -> list[str]:
    """The points of each line of a plot."""
    return re.findall(r'<polyline class="line s\d" points="([^"]*)"', plot)


def test_a_line_goes_from_corner_to_corner() -> None:
    plot = svg.chart({"gpu1": [(0.0, 0.0), (10.0, 5.0)]}, "/s", height=140)
    assert lines(plot) == ["110.0,110.0 740.0,10.0"]
    assert ">5 /s<" in plot
    assert ">10s<" in plot


def test_a_gap_breaks_the_line() -> None:
    assert len(lines(svg.chart({"a": [(0.0, 1.0), (1.0, 1.0), None, (9.0, 1.0), (10.0, 1.0)]}, "ms"))) == 2


def test_each_line_has_its_own_dashes_and_name() -> None:
    plot = svg.chart({"a": [(0.0, 1.0)], "b": [(0.0, 2.0)]}, "ms")
    assert 'class="line s0"' in plot
    assert 'class="line s1"' in plot
    assert plot.count("<li>") == 2


def test_long_lines_are_thinned() -> None:
    plot = svg.chart({"a": [(float(second), 1.0) for second in range(5000)]}, "ms")
    assert len(lines(plot)[0].split()) <= 2 * svg.MAX_POINTS


def test_nothing_to_draw() -> None:
    assert "No data" in svg.chart({}, "ms")
    assert "No data" in svg.chart({"a": [None]}, "ms")


def test_bars_say_their_phase_where_there_is_room() -> None:
    plot = svg.timeline({"gpu1": [("baking", 0.0, 90.0), ("verified", 90.0, 91.0)]})
    assert '<rect class="phase p-baking" x="110.0"' in plot
    assert ">baking</text>" in plot
    assert ">verified</text>" not in plot
    assert "<title>verified, 1s</title>" in plot


def test_a_value_over_its_limit_is_marked_and_said() -> None:
    assert "bar over" in svg.against(3.0, 1.0, "%")
    assert "bar over" not in svg.against(0.5, 1.0, "%")
    assert "3 %, limit 1 %" in svg.against(3.0, 1.0, "%")
    svg.against(0.0, 0.0, "")

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plots for the report, as SVG inside HTML. Pure. Dashes and words tell apart whatever colours do."""

from __future__ import annotations

import html

WIDTH, LEFT, RIGHT = 760, 110, 20
STYLES = 6  # as many as the page's style sheet has for lines
MAX_POINTS = 300
MIN_LABEL = 7.5  # columns of a word's letter in a bar


def escape(value):
    """Text for HTML, attributes included."""
    return html.escape(str(value), quote=True)


def chart(series, unit, height=170):
    """Lines over time: series is {name: [points]}, a point (seconds, value), and None where the line is broken."""
    known = [point for points in series.values() for point in points if point]
    if not known:
        return '<p class="none">No data.</p>'
    least, most = min(x for x, _y in known), max(x for x, _y in known)
    top = max(y for _x, y in known) or 1.0
    across, up = (most - least) or 1.0, float(height - 40)

    def place(point):
        x = LEFT + (point[0] - least) / across * (WIDTH - LEFT - RIGHT)
        return "{0:.1f},{1:.1f}".format(x, 10 + up - point[1] / top * up)

    parts = [
        _frame(height),
        _label(LEFT - 6, 18, "{0:.4g} {1}".format(top, unit), "end"),
        _label(LEFT - 6, 10 + up, "0", "end"),
    ]
    parts += [_label(LEFT, height - 10, _seconds(least)), _label(WIDTH - RIGHT, height - 10, _seconds(most), "end")]
    for index, (name, points) in enumerate(series.items()):
        title = "<title>{0}</title>".format(escape(name))
        for piece in _pieces(points):
            spots = " ".join(place(point) for point in piece)
            parts.append('<polyline class="line s{0}" points="{1}">{2}</polyline>'.format(index % STYLES, spots, title))
    return _svg(height, parts, "Lines over time: " + ", ".join(series)) + legend(series)


def legend(series):
    """Which line is whose."""
    rows = [
        '<li><svg width="40" height="10" aria-hidden="true"><line class="line s{0}" x1="0" y1="5" x2="40" y2="5"/>'
        "</svg> {1}</li>".format(index % STYLES, escape(name))
        for index, name in enumerate(series)
    ]
    return '<ul class="legend">' + "".join(rows) + "</ul>"


def timeline(rows):
    """Bars over time: rows is {name: [(word, from, to)]} in seconds."""
    until = max((to for bars in rows.values() for _word, _from, to in bars), default=0.0) or 1.0
    height = 24 * len(rows) + 30
    scale = (WIDTH - LEFT - RIGHT) / until
    parts = []
    for index, (name, bars) in enumerate(rows.items()):
        top = 24 * index + 4
        parts.append(_label(LEFT - 6, top + 14, name[:16], "end"))
        for word, begin, end in bars:
            parts.append(_bar(word, LEFT + begin * scale, top, max(1.0, (end - begin) * scale), end - begin))
    parts += [_label(LEFT, height - 8, "0s"), _label(WIDTH - RIGHT, height - 8, _seconds(until), "end")]
    return _svg(height, parts, "Timeline of the nodes' phases; the table below has the same")


def against(value, limit, unit):
    """A value as a bar, against the line of its limit."""
    most = max(value, limit, 0.0) * 1.15 or 1.0
    scale = 240 / most
    parts = [
        '<rect class="bar{0}" x="0" y="6" width="{1:.1f}" height="12"/>'.format(
            " over" if value > limit else "", max(0.0, value) * scale
        ),
        '<line class="limit" x1="{0:.1f}" y1="0" x2="{0:.1f}" y2="24"/>'.format(limit * scale),
        _label(0, 36, "{0:.4g} {1}, limit {2:.4g} {1}".format(value, unit, limit)),
    ]
    return '<svg class="small" viewBox="0 0 250 40" width="250" height="40" role="img">' + "".join(parts) + "</svg>"


def _bar(word, left, top, width, seconds):
    said = escape(word)
    title = "<title>{0}, {1}</title>".format(said, _seconds(seconds))
    parts = [
        '<rect class="phase p-{0}" x="{1:.1f}" y="{2}" width="{3:.1f}" height="18">{4}</rect>'.format(
            said, left, top, width, title
        )
    ]
    fitting = word[: int(width / MIN_LABEL)]
    if fitting:
        parts.append(_label(left + 3, top + 13, fitting, kind="inside"))
    return "".join(parts)


def _pieces(points):
    step = max(1, len(points) // MAX_POINTS)
    piece = []
    for index, point in enumerate([*points, None]):
        if point is None:
            if piece:
                # One point alone would be no line.
                yield piece if len(piece) > 1 else [piece[0], (piece[0][0] + 1e-3, piece[0][1])]
            piece = []
        elif index % step == 0 or index == len(points) - 1:
            piece.append(point)


def _svg(height, parts, about):
    return '<svg viewBox="0 0 {0} {1}" role="img" aria-label="{2}">{3}</svg>'.format(
        WIDTH, height, escape(about), "".join(parts)
    )


def _frame(height):
    return '<path class="frame" d="M{0} 10V{1}H{2}"/>'.format(LEFT, height - 30, WIDTH - RIGHT)


def _label(x, y, said, anchor="start", kind="label"):
    return '<text class="{0}" x="{1:.1f}" y="{2:.1f}" text-anchor="{3}">{4}</text>'.format(
        kind, x, y, anchor, escape(said)
    )


def _seconds(value):
    return "{0:.0f}s".format(value) if value < 120 else "{0:.1f}min".format(value / 60)

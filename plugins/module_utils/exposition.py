# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gauges in the text format that Prometheus scrapes (version 0.0.4), for textfiles. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def escaped(value: str) -> str:
    """A label's value, as the format wants it."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def labels(values: Mapping[str, str]) -> str:
    """Names and values as they stand between the braces."""
    return ",".join('{0}="{1}"'.format(name, escaped(value)) for name, value in values.items())


def gauges(about: Mapping[str, str], samples: Iterable[tuple[str, Mapping[str, str], float]]) -> str:
    """The text. `about` gives each metric's help, and their order; a metric without a sample is left out.

    Of two samples with the same labels the later one counts: Prometheus refuses a file with both. Raises KeyError for a
    sample whose metric has no help.
    """
    found: dict[str, dict[str, float]] = {name: {} for name in about}
    for name, values, value in samples:
        found[name]["{{{0}}}".format(labels(values)) if values else ""] = float(value)
    lines = []
    for name, told in found.items():
        if told:
            lines += ["# HELP {0} {1}".format(name, about[name]), "# TYPE {0} gauge".format(name)]
            lines += ["{0}{1} {2!r}".format(name, where, value) for where, value in sorted(told.items())]
    return "".join(line + "\n" for line in lines)

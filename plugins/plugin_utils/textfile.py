# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics for the node exporter's textfile collector. Pure.

Prometheus wants to see the last run of every pool, not only of the one that ran last: what an earlier run wrote about
others is kept, and what is counted goes on from where it stood.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ..module_utils.exposition import escaped

# name: (type, help). The order is that of the file.
METRICS = {
    "steadfast_rollout_last_run_timestamp_seconds": ("gauge", "When the pool's last rollout was last heard of."),
    "steadfast_rollout_last_run_success": ("gauge", "1 if the pool's last rollout succeeded, else 0."),
    "steadfast_rollout_last_run_duration_seconds": ("gauge", "How long the pool's last rollout took."),
    "steadfast_rollout_batches_total": ("counter", "Batches that ended, by how."),
    "steadfast_playbook_last_run_timestamp_seconds": ("gauge", "When the playbook last ended."),
    "steadfast_playbook_last_run_success": (
        "gauge",
        "1 if no host of the last run failed or was out of reach, else 0.",
    ),
    "steadfast_playbook_last_run_duration_seconds": ("gauge", "How long the playbook's last run took."),
    "steadfast_playbook_last_run_results": ("gauge", "Results of the playbook's last run, by status."),
}
# By these labels a sample has an owner, whose next run replaces it.
OWNERS = ("pool", "playbook")
SAMPLE = re.compile(r"^(?P<name>[a-z_]+)\{(?P<labels>.*)\} (?P<value>\S+)$")
LABEL = re.compile(r'(?P<key>[a-z_]+)="(?P<value>(?:[^"\\]|\\.)*)"(?:,|$)')
MAX_SAMPLES = 10000


@dataclass(frozen=True)
class Sample:
    """One value of one metric."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


def sample(name, value, **labels):
    """Make one; labels in the order of their names."""
    return Sample(name, tuple(sorted((key, str(said)) for key, said in labels.items())), float(value))


def read(content):
    """The samples of an earlier file that are ours. What is not understood is left out."""
    found = []
    for line in content.splitlines()[:MAX_SAMPLES]:
        parts = SAMPLE.match(line)
        if parts and parts["name"] in METRICS:
            labels = tuple((each["key"], _plain(each["value"])) for each in LABEL.finditer(parts["labels"]))
            try:
                found.append(Sample(parts["name"], labels, float(parts["value"])))
            except ValueError:
                continue
    return found


def merge(earlier, new):
    """The new samples with those earlier ones that they do not replace; counters are added up."""
    new = list(new)
    owners = {pair for each in new for pair in each.labels if pair[0] in OWNERS}
    total = {(each.name, each.labels): each for each in earlier if not owners & set(each.labels)}
    for each in new:
        key = (each.name, each.labels)
        counted = METRICS[each.name][0] == "counter" and key in total and math.isfinite(total[key].value)
        total[key] = Sample(each.name, each.labels, each.value + (total[key].value if counted else 0.0))
    return list(total.values())


def render(samples):
    """The file's text."""
    lines = []
    for name, (kind, about) in METRICS.items():
        own = sorted((each for each in samples if each.name == name), key=lambda each: each.labels)
        if own:
            lines += ["# HELP {0} {1}".format(name, about), "# TYPE {0} {1}".format(name, kind)]
        for each in own:
            labels = ",".join('{0}="{1}"'.format(key, escaped(value)) for key, value in each.labels)
            lines.append("{0}{{{1}}} {2:.10g}".format(name, labels, each.value))
    return "\n".join(lines) + "\n"


def _plain(value):
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], value)

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which metrics the shipped rules read, and which they record: a contract test compares them with what is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).resolve().parents[1] / "roles" / "monitoring" / "files" / "rules"

# What stands in an expression and is no metric: strings, selectors' labels, ranges, lists of labels, numbers.
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
SELECTOR = re.compile(r"\{[^}]*\}")
RANGE = re.compile(r"\[[^\]]*\]")
LABELS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
NUMBER = re.compile(r"(?<![\w:])[0-9][0-9.]*(?:[eE][-+]?[0-9]+|ms|[smhdwy])?(?![\w:])")
FUNCTION = re.compile(r"[a-zA-Z_]\w*(?=\s*\()")
WORD = re.compile(r"[a-zA-Z_:][\w:]*")
# Operators and modifiers; an aggregation stands before `by` as well as before its bracket.
KEYWORDS = {
    "and", "or", "unless", "bool", "offset", "atan2", "inf", "nan", "by", "without", "on", "ignoring", "group_left",
    "group_right", "sum", "min", "max", "avg", "count", "count_values", "group", "stddev", "stdvar", "topk", "bottomk",
    "quantile",
}  # fmt: skip

# Read by rules, and never told by the lab. Whoever has them must look at these names once.
METRICS_NOT_IN_LAB = {
    r"DCGM_.+": "NVIDIA's dcgm-exporter, and a GPU for it",
    r"vllm:.+": "vLLM, which needs a GPU; the lab's engine is llama.cpp",
    r"steadfast_gpu_.+": "the GPU probe, and GPUs in the inventory",
    r"node_nf_conntrack_.+": "told only while the kernel tracks connections in the container's network",
}


def rules() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every shipped rule, with the name of its file."""
    for path in sorted(RULES.glob("*.yml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                yield path.name, rule


def names_in(expression: str) -> set[str]:
    """Metric names that an expression reads. It must be a valid one."""
    text = STRING.sub('""', expression)
    for pattern in (SELECTOR, RANGE, LABELS, NUMBER):
        text = pattern.sub(" ", text)
    text = FUNCTION.sub(" ", text)
    return {word for word in WORD.findall(text) if word.lower() not in KEYWORDS}


def recorded() -> set[str]:
    """Names that the shipped rules record themselves."""
    return {rule["record"] for _file, rule in rules() if "record" in rule}


def metrics_named() -> set[str]:
    """Names that the shipped rules read and do not record: they come from exporters, or from the inventory's rules."""
    return set().union(*(names_in(rule["expr"]) for _file, rule in rules())) - recorded()


def metrics_in_lab() -> set[str]:
    """Those of `metrics_named` that a lab with everything installed must have."""
    return {name for name in metrics_named() if not any(re.fullmatch(each, name) for each in METRICS_NOT_IN_LAB)}

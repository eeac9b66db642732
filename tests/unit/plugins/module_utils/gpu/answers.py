# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of nvidia-smi: written by hand from the schema, not recorded; whole, or changed in one place."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.expect import Expect
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.judge import Seen, judge
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.policy import Policy
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.smi import read

FIXTURES = Path(__file__).parent / "fixtures"
KNOWN = ("v11", "v12", "v13")
BOOT, NOW = "b" * 32, 1_000_000.0


@lru_cache
def text(name: str) -> str:
    """One of the answers."""
    return (FIXTURES / f"{name}.xml").read_text(encoding="utf-8")


# A property asks the same answer a thousand times.
seen_in = lru_cache(maxsize=16)(read)


def changed(name: str, tag: str, value: str, which: int = 0) -> str:
    """The answer with another value in the nth element of this name, counted from 0."""
    whole = text(name)
    places = list(re.finditer(f"<{tag}>([^<]*)</{tag}>", whole))
    start, end = places[which].span(1)
    return whole[:start] + value + whole[end:]


def judged(answer: str, expect: Expect | None = None, previous=None, events=(), now: float = NOW, policy=None, **more):
    """The judgement over an answer."""
    seen = Seen(seen_in(answer), list(events), now, BOOT, **more)
    return judge(seen, expect or Expect(), policy or Policy(), previous)


def kinds(judgement) -> list[tuple[str, str, str]]:
    """Kind, severity and action of what is more than worth knowing."""
    return [(one.kind, one.severity, one.action) for one in judgement.findings if one.severity != "info"]

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How busy an engine says it is; what it does not say is never zero."""

from __future__ import annotations

import hashlib

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.engine.client import Answer
from ansible_collections.steadfast.ai_platform.plugins.module_utils.engine.load import load
from ansible_collections.steadfast.ai_platform.plugins.module_utils.engine.release import Release
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Unreadable

METRICS = 'running{model="a"} 2\nrunning{model="b"} 1\nwaiting 4\ntokens_total 900\n'
SILENT = {"running": None, "progress": None}


class Playing:
    """An engine that answers one thing, or nothing."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def get(self, path):
        self.asked.append(path)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def release(running=("running", "waiting"), progress=("tokens_total",)):
    return Release(
        name="r1", model="tiny", identity="tiny@r1", engine="any", engine_version="1", artifact="tiny.gguf",
        sha256=hashlib.sha256(b"").hexdigest(), command=("/bin/true",), metrics_path="/m",
        running_metrics=running, progress_metrics=progress,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "wanted", "found"),
    [
        (Answer(200, METRICS), release(), {"running": 7.0, "progress": 900.0}),
        (Answer(200, METRICS), release(progress=()), {"running": 7.0, "progress": None}),
        (Answer(200, METRICS), release(running=("absent",)), {"running": None, "progress": 900.0}),
        (Answer(200, "running NaN\ntokens_total 1\n"), release(running=("running",)), {"running": None, "progress": 1}),
        (Answer(500, METRICS), release(), SILENT),
        (Answer(200, ""), release(), SILENT),
        (Unreadable("did not answer"), release(), SILENT),
    ],
)
def test_load(answer, wanted, found):
    assert load(Playing(answer), wanted) == found


def test_an_engine_that_has_no_metrics_is_not_asked():
    engine = Playing(Answer(200, METRICS))
    assert load(engine, release((), ())) == SILENT
    assert engine.asked == []

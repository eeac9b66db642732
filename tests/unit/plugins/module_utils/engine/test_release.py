# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release as a record: what it may be called, how it starts, what is pruned."""

from __future__ import annotations

import hashlib
import json
import subprocess

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.engine.release import (
    Release,
    differences,
    parse_release,
    superseded,
)
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused, Unreadable
from hypothesis import given
from hypothesis import strategies as st

CONTENT = b"weights" * 1000


def release(name="r1", content=CONTENT, **changes):
    fields = {
        "name": name,
        "model": "tiny",
        "identity": f"tiny@{name}",
        "engine": "llama_cpp",
        "engine_version": "1",
        "artifact": "tiny.gguf",
        "sha256": hashlib.sha256(content).hexdigest(),
        "command": ("/bin/echo", "it's", "$MODEL_SERVER_PORT", "$(id)"),
    }
    return Release(**{**fields, **changes})


def test_the_start_script_quotes_everything_but_the_units_variables(tmp_path):
    script = tmp_path / "start"
    script.write_text(release().start_script())
    out = subprocess.run(["sh", script], capture_output=True, text=True, check=True, env={"MODEL_SERVER_PORT": "80 80"})
    assert out.stdout == "it's 80 80 $(id)\n"


@pytest.mark.parametrize(
    "changes",
    [{"name": "../r1"}, {"name": ""}, {"artifact": "a/b"}, {"sha256": "abc"}, {"command": ()}, {"name": ".r1"}],
)
def test_a_release_that_cannot_be_is_refused(changes):
    with pytest.raises(Refused):
        release(**changes).check()


def test_release_json_comes_back_and_garbage_does_not():
    assert parse_release(release().document()) == release()
    for text in ("", "[]", "{}", '{"command": 1, "running_metrics": []}'):
        with pytest.raises(Unreadable):
            parse_release(text)


def test_metrics_come_back_and_a_release_from_before_they_were_known_is_read():
    found = release(running_metrics=("running", "waiting"), progress_metrics=("tokens",))
    assert parse_release(found.document()) == found
    older = json.loads(found.document())
    del older["progress_metrics"]
    assert parse_release(json.dumps(older)).progress_metrics == ()
    assert differences(found, parse_release(json.dumps(older))) == ["progress_metrics: ('tokens',) -> ()"]


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 9)), st.sampled_from("abcdefgh"), st.integers(0, 4))
def test_pruning_never_takes_the_active_one_nor_a_younger_before_an_older(ages, active, keep):
    gone = superseded(ages, active, keep)
    kept = [name for name in ages if name not in gone and name != active]
    assert active not in gone
    assert len(kept) == min(keep, len([name for name in ages if name != active]))
    assert all(ages[young] >= ages[old] for young in kept for old in gone)

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The storms go as their files expect, and the page shows what came of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.chain import broken
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.policy import LIMITS

from tests.replay import __main__ as command
from tests.replay.play import Play, play
from tests.replay.storm import STORMS, merged, read_storm, spread

PAGE = (Path(__file__).parents[3] / "docs" / "guard.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def runs() -> dict[str, Play]:
    return {path.stem: play(read_storm(path)) for path in STORMS}


@pytest.mark.parametrize("name", [path.stem for path in STORMS])
def test_a_storm_goes_as_its_file_expects(runs, name):
    assert runs[name].differs() == []
    assert broken(runs[name].desk.records) == ""
    assert len(runs[name].storm.why) > 100


def test_there_are_ten(runs):
    assert len(runs) == 10


def test_the_page_has_their_table(runs):
    assert command.summary(list(runs.values())) in PAGE


def test_the_page_has_every_limit_with_its_default():
    for key, (default, _least, _most) in LIMITS.items():
        assert f"| `{key}` | {default:g} |" in PAGE


def test_the_page_has_an_example_that_is_a_policy():
    from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.facts import read_facts
    from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.policy import read_policy

    policy, facts = (yaml.safe_load(part.split("```")[0]) for part in PAGE.split("```yaml")[1:])
    assert read_policy(policy).floor("serving", 4) == 3
    assert read_facts(facts).pool_of["gpu2"] == "serving"


def test_a_storm_that_goes_otherwise_is_told(runs):
    run = Play(replace(runs["deploy"].storm, expect={"acts": ["1 gpu9 reboot"], "says": {}})).run()
    assert [line.split(":")[0] for line in run.differs()] == ["acts", "says"]


def test_the_command_fails_when_a_storm_goes_otherwise(tmp_path, monkeypatch, capsys):
    said = yaml.safe_load(STORMS[0].read_text(encoding="utf-8"))
    path = tmp_path / "storm.yml"
    path.write_text(yaml.safe_dump({**said, "expect": {}}), encoding="utf-8")
    monkeypatch.setenv("STORM", str(path))
    assert command.main() == 1
    assert "storm: acts: expected []" in capsys.readouterr().out
    monkeypatch.setenv("STORM", str(STORMS[0]))
    assert command.main() == 0
    assert "Every storm went as its file expects." in capsys.readouterr().out


def test_names_in_short():
    assert spread("gpu[1:3]") == ["gpu1", "gpu2", "gpu3"]
    assert spread(["lb1", "r[2:3]x"]) == ["lb1", "r2x", "r3x"]
    assert merged({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}, "d": 4}) == {"a": {"b": 3, "c": 2}, "d": 4}

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module on its own: options in, one question, the answer out."""

from __future__ import annotations

import contextlib
import io
import json
import time

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.steadfast.ai_platform.plugins.modules import remediation_guard

from tests.unit.plugins.module_utils.guard.fleet import DOCUMENT

POLICY = {**DOCUMENT, "limits": {"patience": 0}}
SIGNALS = [{"source": "engine", "bad": True, "age": 1}, {"source": "probe", "bad": True, "age": 1}]
FACTS = {
    "age": 1,
    "pools": {"serving": {"hosts": ["n1", "n2", "n3"], "up": ["n1", "n2", "n3"], "burn": None}},
    "signals": {"n1": SIGNALS, "n2": SIGNALS},
}


def alert(name="Hung", host="n1"):
    return {
        "status": "firing",
        "labels": {"alertname": name, "instance": f"{host}:8000"},
        "fingerprint": f"{name}-{host}",
        "startsAt": time.time(),
    }


@pytest.fixture
def run(tmp_path):
    """Run the module; what it said, and its exit status."""

    def call(check=False, **options):
        given = {"folder": str(tmp_path / "guard"), "_ansible_check_mode": check, **options}
        out = io.StringIO()
        with patch_module_args(given), contextlib.redirect_stdout(out), pytest.raises(SystemExit) as caught:
            remediation_guard.main()
        return json.loads(out.getvalue()), caught.value.code

    return call


def ask(run, check=False, event=None, **more):
    return run(check, state="ask", policy=POLICY, event=event or alert(), facts=FACTS, **more)


def test_an_action_from_question_to_end(run):
    said, code = ask(run)
    assert (code, said["verdict"], said["action"], said["playbook"], said["changed"]) == (
        0,
        "act",
        "restart",
        "restart",
        True,
    )
    permit = said["permit"]
    said, code = run(state="begin", permit=permit)
    assert (code, said["host"], said["changed"]) == (0, "n1", True)
    said, code = run(state="status")
    assert said["guard"]["under_way"][0]["host"] == "n1"
    said, code = run(state="end", permit=permit, outcome="done", policy=POLICY)
    assert (code, said["changed"]) == (0, True)
    assert run(state="end", permit=permit, outcome="done", policy=POLICY)[0]["changed"] is False
    said, code = run(state="status", host="n1")
    assert [line.split("  ")[2].split(":")[0] for line in said["log"]] == ["allowed", "begun", "ended"]
    assert run(state="status", last=1)[0]["log"] == said["log"][-1:]


def test_a_refusal_to_begin_is_a_failed_task(run):
    said, code = run(state="begin", permit=1)
    assert (code, said["failed"]) == (1, True)
    assert "no permit 1" in said["msg"]


def test_check_mode_answers_and_writes_nothing(run, tmp_path):
    said, code = ask(run, check=True)
    assert (code, said["verdict"], said["changed"]) == (0, "act", True)
    assert "permit" not in said
    assert run(True, state="pause", by="alice", reason="why")[0]["changed"]
    assert not (tmp_path / "guard").exists()
    assert run(state="status")[0]["guard"]["paused"] is None


def test_what_people_do(run):
    assert run(state="pause", by="alice", reason="moves a rack")[0]["changed"]
    assert not run(state="pause", by="alice", reason="moves a rack")[0]["changed"]
    assert ask(run)[0]["rule"] == "pause"
    assert run(state="resume", by="alice", reason="moved")[0]["changed"]
    assert ask(run, event=alert("Down"))[0]["verdict"] == "ask"
    said, code = run(state="approve", host="n1", action="reboot", by="bob", reason="looked")
    assert (code, said["changed"]) == (0, True)
    assert not run(state="reset", by="bob", reason="nothing has tripped")[0]["changed"]
    said, code = run(state="approve", host="n2", action="reboot", by="bob", reason="looked", policy=POLICY)
    assert (code, "nobody has asked" in said["msg"]) == (1, True)


@pytest.mark.parametrize("state", ["pause", "resume", "reset"])
def test_people_say_who_and_why(run, state):
    said, code = run(state=state, by="alice")
    assert (code, said["msg"]) == (1, f"{state} is for people: say who (by) and why (reason)")
    said, code = run(state=state, reason="why")
    assert "by" in said["msg"]


def test_the_log_is_verified_against_its_end_as_it_was(run, tmp_path):
    first = ask(run)[0]["head"]
    second = run(state="pause", by="alice", reason="why")[0]["head"]
    assert run(state="verify")[0]["head"] == second
    assert run(state="verify", head=first)[1] == 0
    journal = tmp_path / "guard" / "journal"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text(lines[0])
    (tmp_path / "guard" / "head").write_text(first)
    assert run(state="verify")[1] == 0
    said, code = run(state="verify", head=second)
    assert (code, said["problems"]) == (1, ["the log ends at record 1, but had record 2: its end was cut off"])
    said, code = run(state="verify", head="rubbish")
    assert (code, "no head of a log" in said["msg"]) == (1, True)


def test_what_cannot_be_understood_fails_with_its_place(run):
    said, code = run(state="ask", policy={}, event=alert(), facts=FACTS)
    assert (code, "actions is None" in said["msg"]) == (1, True)
    said, code = run(state="ask", policy=POLICY, event={}, facts=FACTS)
    assert (code, "event.fingerprint" in said["msg"]) == (1, True)
    said, code = run(state="ask", policy=POLICY, event=alert(), facts={"age": 1})
    assert (code, "facts.pools is None" in said["msg"]) == (1, True)
    said, code = run(state="ask", policy=POLICY)
    assert (code, "event, facts" in said["msg"]) == (1, True)


def test_options_and_documentation_agree():
    options = yaml.safe_load(remediation_guard.DOCUMENTATION)["options"]
    keys = ("type", "choices", "default", "required", "elements")
    told = {name: {key: option[key] for key in keys if key in option} for name, option in options.items()}
    assert told == remediation_guard.SPEC

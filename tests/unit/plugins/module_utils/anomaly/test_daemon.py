# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon lives on, whatever it is answered, and whatever it finds where it had left its state."""

from __future__ import annotations

import json
import os
import re

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly import state
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.daemon import Daemon
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.settings import read

from tests.unit.plugins.module_utils.anomaly.hostile import drips, floods, hangs_up, hostile, promises, says, vector
from tests.unit.plugins.module_utils.anomaly.test_exposition import parsed
from tests.unit.plugins.module_utils.anomaly.test_state import signed

GOOD = vector(({"instance": "a"}, "5"), ({"instance": "b"}, "6"))
BEHAVIOURS = {
    "flood": (floods(500 * 1024 * 1024), "too_large"),
    "drip": (drips(b"HTTP/1.1 200 OK\r\n\r\n", b"["), "timeout"),
    "cut": (promises(1000, GOOD[:20]), "broken"),
    "gone": (hangs_up, "broken"),
    "garbage": (says(b"\x00\xff<html>"), "not_json"),
    "deep": (says(b'{"a":' * 200000), "not_json"),
    "matrix": (says(GOOD.replace(b"vector", b"matrix")), "malformed"),
    "strings": (vector(({"instance": "a"}, "many")), "malformed"),
    "twins": (vector(({"instance": "a", "x": "1"}, "5"), ({"instance": "a", "x": "2"}, "5")), "duplicate"),
    "error": (says(b"", "500 Internal Server Error"), "status"),
    "redirect": (says(b"", "302 Found", "Location: http://127.0.0.1:9/"), "status"),
    "refused": (says(b'{"status":"error","error":"x"}', "422 Unprocessable Entity"), "refused"),
    "numbers": (vector(({"instance": "a"}, "NaN"), ({"instance": "b"}, "+Inf"), ({"instance": "c"}, "1e308")), None),
    "nasty": (vector(({"instance": 'a"\n\\\ud800\x00'}, "1")), None),
    "good": (GOOD, None),
}


class Clock:
    """Time as the test wants it."""

    def __init__(self):
        self.now = 1.7e9

    def __call__(self):
        return self.now


@pytest.fixture
def make(tmp_path):
    def made(url, *queries, **more):
        content = {
            "urls": [url],
            "queries": list(queries) or [query("up")],
            "timeout_seconds": 0.5,
            "max_body_bytes": 2**20,
            "step_seconds": 60,
            "state_file": str(tmp_path / "state"),
            "listen_port": 0,
            **more,
        }
        lines, clock = [], Clock()
        daemon = Daemon(read(json.dumps(content)), lines.append, clock)
        daemon.lines = lines
        return daemon

    return made


def query(name, **more):
    return {"name": name, "query": name, "labels": ["instance"], **more}


def value(page, name, labels):
    return parsed(page).get(("steadfast_anomaly_" + name, labels))


def test_whatever_is_answered_the_others_are_judged_and_the_reason_is_counted(make):
    answers = {name: each if callable(each) else says(each) for name, (each, _reason) in BEHAVIOURS.items()}
    with hostile(**answers) as server:
        daemon = make(server.url, *(query(name) for name in BEHAVIOURS))
        daemon.run()
        page = daemon.run()
    for name, (_each, reason) in BEHAVIOURS.items():
        found = {
            each: count
            for (metric, labels), count in parsed(page).items()
            if metric.endswith("query_failures_total") and (each := re.match(f'query="{name}",reason="(.*)"', labels))
            if count
        }
        assert {each.group(1): count for each, count in found.items()} == ({reason: 2} if reason else {}), name
    for instance in ("a", "b"):
        assert value(page, "consensus", f'query="good",instance="{instance}",series="{instance}"') == 0
    assert value(page, "consensus", 'query="garbage",instance="a",series="a"') is None
    # Each trouble is said once.
    assert len([line for line in daemon.lines if line.startswith("garbage ")]) == 1
    assert server.asked.count("good") == 2


def test_trouble_that_ends_is_said_and_what_was_learned_is_still_there(make):
    with hostile(up=says(GOOD)) as server:
        daemon = make(server.url)
        daemon.run()
        server.answers["up"] = says(b"no")
        assert value(daemon.run(), "absent", 'query="up",instance="a",series="a"') is None
        server.answers["up"] = says(GOOD)
        assert value(daemon.run(), "absent", 'query="up",instance="a",series="a"') == 0
    assert daemon.lines[-1] == "up is answered again"


def test_an_error_that_nobody_has_thought_of_hides_no_other_query(make, monkeypatch):
    with hostile(up=says(GOOD), other=says(GOOD)) as server:
        daemon = make(server.url, query("up"), query("other"))
        take = daemon.registry.take

        def fails(asked, *rest):
            return 1 // 0 if asked.name == "up" else take(asked, *rest)

        monkeypatch.setattr(daemon.registry, "take", fails)
        page = daemon.run()
    assert value(page, "query_failures_total", 'query="up",reason="internal"') == 1
    assert value(page, "consensus", 'query="other",instance="a",series="a"') == 0


def run_for(daemon, steps, first=0):
    for _each in range(first, steps):
        daemon.clock.now += 60
        page = daemon.run()
    return page


def test_an_outage_and_an_absence_are_told(make):
    with hostile(up=says(GOOD)) as server:
        daemon = make(server.url)
        run_for(daemon, 35)
        server.answers["up"] = says(vector(({"instance": "a"}, "0")))
        page = run_for(daemon, 1)
    assert value(page, "consensus", 'query="up",instance="a",series="a"') == 1
    assert value(page, "absent", 'query="up",instance="b",series="b"') == 1
    assert value(page, "node_rate", 'instance="a"') == 1


def seen(page):
    return value(page, "samples_seen", 'query="up",instance="a",series="a"')


def test_learning_rests_while_a_rollout_runs_and_settles(make):
    with hostile(up=says(GOOD), rollout=says(vector(({}, "1")))) as server:
        daemon = make(server.url, freeze_query="rollout", settle_seconds=150)
        page = run_for(daemon, 3)
        assert (value(page, "frozen", None), seen(page)) == (1, 0)
        server.answers["rollout"] = says(vector(({}, "0")))
        page = run_for(daemon, 2)
        assert (value(page, "frozen", None), seen(page)) == (1, 0)
        page = run_for(daemon, 2)
        assert (value(page, "frozen", None), seen(page)) == (0, 2)
        server.answers["rollout"] = says(b"what?")
        page = run_for(daemon, 1)
        assert (value(page, "frozen", None), seen(page)) == (1, 2)
        assert value(page, "query_failures_total", 'query="freeze",reason="not_json"') == 1
    assert daemon.lines[:2] == ["learning rests: a rollout runs", "learning goes on"]


def test_a_clock_that_jumps_back_teaches_nothing_twice(make):
    with hostile(up=says(GOOD)) as server:
        daemon = make(server.url)
        assert seen(run_for(daemon, 10)) == 10
        daemon.clock.now -= 300
        assert seen(run_for(daemon, 5)) == 10
        assert seen(run_for(daemon, 1)) == 11


def test_it_goes_on_after_a_restart(make):
    with hostile(up=says(GOOD)) as server:
        first = make(server.url)
        run_for(first, 40)
        first.save()
        second = make(server.url)
        second.clock.now = first.clock.now
        second.restore()
        page = run_for(second, 1)
    assert seen(page) == 41
    assert value(page, "model_ready", 'query="up",instance="a",series="a"') == 1
    assert value(page, "state_saved_timestamp_seconds", None) == first.clock.now
    assert second.lines == ["goes on with 2 series as they were 0 s ago"]


def test_an_old_state_is_loaded_and_the_last_hours_are_forgotten(make):
    with hostile(up=says(GOOD)) as server:
        first = make(server.url)
        run_for(first, 40)
        first.save()
        second = make(server.url)
        second.clock.now = first.clock.now + 86400
        second.restore()
        page = run_for(second, 1)
    assert seen(page) == 41
    assert value(page, "model_ready", 'query="up",instance="a",series="a"') == 0


HEADER = b'{"format":"steadfast-anomaly-state","version":1,"saved":1}'
BAD_STATES = {
    "nothing": b"",
    "text": b"hello\n",
    "another version": signed(b'{"format":"steadfast-anomaly-state","version":9}'),
    "no time": signed(b'{"format":"steadfast-anomaly-state","version":1,"saved":"now"}'),
    "a list": signed(b"[1]"),
    "no record": signed(HEADER, b"7"),
    "a record without a series": signed(HEADER, b'["up","series",["a"],null,{}]'),
    "a series of nonsense": signed(
        HEADER, b'["up","series",["a"],null,{"last":1,"series":{"robust":{"window":"////"}}}]'
    ),
    "infinity": signed(HEADER, b'["up","series",["a"],null,{"last":Infinity,"series":{}}]'),
    "depth": signed(HEADER, b"[" * 100000),
    "a window of a million": signed(
        HEADER, b'["up","series",["a"],null,{"series":{"robust":{"window":"' + b"AAAA" * 10**5 + b'"}}}]'
    ),
}


@pytest.mark.parametrize("content", BAD_STATES.values(), ids=list(BAD_STATES))
def test_a_state_that_cannot_be_trusted_is_put_aside_and_learning_begins_anew(make, tmp_path, content):
    (tmp_path / "state").write_bytes(content)
    with hostile(up=says(GOOD)) as server:
        daemon = make(server.url)
        daemon.restore()
        assert "is of no use" in daemon.lines[0]
        assert (tmp_path / "state.bad").read_bytes() == content
        assert not (tmp_path / "state").exists()
        assert seen(run_for(daemon, 1)) == 1
        daemon.save()
    assert len(list(state.load(str(tmp_path / "state")))) == 3


def test_a_torn_state_is_put_aside(make, tmp_path):
    with hostile(up=says(GOOD)) as server:
        first = make(server.url)
        run_for(first, 40)
        first.save()
        whole = (tmp_path / "state").read_bytes()
        (tmp_path / "state").write_bytes(whole[: len(whole) // 2])
        second = make(server.url)
        second.restore()
        assert seen(run_for(second, 1)) == 1


def test_a_disk_that_cannot_be_written_ends_nothing(make, tmp_path):
    with hostile(up=says(GOOD)) as server:
        daemon = make(server.url, state_file=str(tmp_path / "absent" / "state"))
        daemon.restore()
        daemon.run()
        daemon.save()
        assert "cannot be written" in daemon.lines[-1]
        assert value(daemon.run(), "state_saved_timestamp_seconds", None) == 0


def test_more_series_than_there_is_room_for(make):
    many = vector(*(({"instance": str(number)}, "1") for number in range(50)))
    with hostile(up=says(many)) as server:
        page = make(server.url, max_series=20).run()
    assert value(page, "series", None) == 20
    assert value(page, "series_refused", 'query="up"') == 30


def test_it_runs_until_it_is_told_to_end(make, tmp_path):
    def answer(connection):
        says(GOOD)(connection)
        if len(server.asked) == 2:
            daemon.stop.set()

    with hostile(up=answer) as server:
        daemon = make(server.url, interval_seconds=1)
        daemon.serve()
    assert daemon.lines[0].startswith("shows its metrics at 127.0.0.1:")
    assert os.path.exists(tmp_path / "state")

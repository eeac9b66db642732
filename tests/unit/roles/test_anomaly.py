# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The detector's program, beside the folder that the role installs for it, and the queries that the role ships."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest
import yaml
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.settings import read

from tests.unit.plugins.module_utils.anomaly.hostile import hostile, says, vector
from tests.unit.roles.program import ROLES, ROOT, install

ROLE = ROLES / "monitoring"
VARS = yaml.safe_load((ROLE / "vars" / "anomaly.yml").read_text())
GOOD = vector(({"instance": "a"}, "5"))


@pytest.fixture
def command(tmp_path):
    return [sys.executable, str(install("monitoring/files/anomaly.py", tmp_path))]


@pytest.fixture
def program(command):
    def run(*arguments):
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=60)

    return run


def configuration(tmp_path, url="http://127.0.0.1:9", **more):
    content = {
        "urls": [url],
        "queries": [{"name": "up", "query": "up", "labels": ["instance"]}],
        "listen_port": 0,
        **more,
    }
    path = tmp_path / "anomaly.json"
    path.write_text(json.dumps({"state_file": str(tmp_path / "state"), **content}))
    return str(path)


def test_every_file_of_the_room_is_used(command):
    room = ROOT / "plugins" / "module_utils" / "anomaly"
    installed = Path(command[1]).parent / "steadfast_platform" / "anomaly"
    assert {path.name for path in installed.iterdir()} == {path.name for path in room.glob("*.py")}


def test_help(program):
    done = program("--help")
    assert done.returncode == 0
    assert "--check-config" in done.stdout
    assert "--once" in done.stdout


def test_a_configuration_is_checked(program, tmp_path):
    done = program("--check-config", configuration(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "is valid: 1 queries" in done.stdout


def test_what_is_wrong_with_a_configuration_is_said_line_by_line(program, tmp_path):
    path = configuration(tmp_path, interval_seconds=0, colour="red")
    for arguments in (["--check-config", path], [path]):
        done = program(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["interval_seconds", "colour"]


def test_a_configuration_that_is_not_there(program, tmp_path):
    done = program("--check-config", str(tmp_path / "absent"))
    assert done.returncode == 2
    assert "cannot be read" in done.stderr


def test_once(program, tmp_path):
    with hostile(up=says(GOOD)) as server:
        done = program("--once", configuration(tmp_path, server.url))
    assert done.returncode == 0
    assert 'steadfast_anomaly_consensus{query="up",instance="a",series="a"} 0\n' in done.stdout
    assert not (tmp_path / "state").exists()


def test_a_password_that_is_not_there_is_said(program, tmp_path):
    done = program(configuration(tmp_path, basic_auth_file=str(tmp_path / "absent")))
    assert done.returncode == 1
    assert done.stderr.startswith("anomaly: ")


def test_it_serves_until_it_is_told_to_end_and_remembers(command, tmp_path):
    with hostile(up=says(GOOD)) as server:
        argv = [*command, configuration(tmp_path, server.url, interval_seconds=1)]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        try:
            address = process.stdout.readline().split()[-1]
            process.stdout.readline()
            opener = build_opener(ProxyHandler({}))
            while server.asked.count("up") < 2 and process.poll() is None:
                time.sleep(0.05)
            with opener.open(f"http://{address}/metrics", timeout=30) as answer:
                assert b'steadfast_anomaly_samples_seen{query="up",instance="a",series="a"} 1\n' in answer.read()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
            process.stdout.close()
    assert b'"up"' in (tmp_path / "state").read_bytes()


def test_the_queries_that_are_shipped_are_valid():
    content = {"urls": ["http://127.0.0.1:9090"], "queries": VARS["__monitoring_anomaly_queries"]}
    settings = read(json.dumps(content))
    assert {query.kind for query in settings.queries} == {"series", "peers", "limit", "features"}

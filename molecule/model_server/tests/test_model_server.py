# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model server on both Debian releases: it answers, keeps to itself, and survives bad releases and hard stops."""

from __future__ import annotations

import http.client
import json
import threading
import time

import pytest

from tests.lab.containers import Lab

UNIT = "model-server-serving.service"
POOL = "/srv/models/serving"


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.from_env()


def ask(address: str, **changes: object) -> tuple[int, dict]:
    """One completion on the node's own port."""
    connection = http.client.HTTPConnection(address, 8000, timeout=30)
    body = {"model": "tiny", "prompt": "Hello", "max_tokens": 4, "temperature": 0, "ignore_eos": True, **changes}
    connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def running(address: str) -> int:
    """Requests that run in the engine, by its own metrics."""
    connection = http.client.HTTPConnection(address, 8000, timeout=30)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("llamacpp:requests_processing ")))


@pytest.mark.parametrize("node", ["gpu1", "gpu2", "gpu3"])
def test_every_node_answers_with_its_release(lab, node):
    status, answer = ask(lab.hosts[node].address)
    assert status == 200
    assert answer["choices"][0]["text"].strip()
    assert lab.exec(node, ["readlink", f"{POOL}/current"]).stdout.strip() == "releases/r1"


def test_the_engine_is_not_root_and_cannot_write_its_release(lab):
    pid = lab.exec("gpu1", ["systemctl", "show", UNIT, "-P", "MainPID"]).stdout.strip()
    owner = lab.exec("gpu1", ["stat", "-c", "%U", f"/proc/{pid}"]).stdout.strip()
    assert owner == "model-server"
    probe = ["nsenter", "-t", pid, "-m", "touch", f"{POOL}/releases/r1/x"]
    assert "Read-only" in lab.exec("gpu1", probe, check=False).stderr


def play(lab: Lab, tmp_path, release: str, **variables: object):
    """Stage a release on gpu2 and make it the active one, as a rollout does."""
    playbook = tmp_path / "play.yml"
    role = {"name": "steadfast.ai_platform.model_server", "tasks_from": "stage"}
    switch = {"pool": "serving", "name": release, "state": "active", "unit": UNIT, "port": 8000}
    tasks = [
        {"ansible.builtin.include_role": role, "vars": {"model_server_stage": release}},
        {"steadfast.ai_platform.model_release": switch},
    ]
    playbook.write_text(json.dumps([{"hosts": "gpu2", "tasks": tasks}]))
    return lab.playbook(str(playbook), "-e", json.dumps(variables))


def test_a_release_that_cannot_be_loaded_leaves_the_old_one_serving(lab, tmp_path):
    done = play(lab, tmp_path, "r3-broken")
    assert done.returncode != 0
    assert "release r3-broken does not serve" in done.stdout
    assert "r1 is back and proved" in done.stdout
    assert ask(lab.hosts["gpu2"].address)[0] == 200


def test_a_wrong_digest_is_refused_before_anything_is_staged(lab, tmp_path):
    releases = {
        "bad": {
            "model": "tiny",
            "engine": {"profile": "custom", "version": "1", "path": "/bin/true"},
            "command": ["/bin/true"],
            "artifact": {"name": "x.gguf", "path": f"{POOL}/releases/r1/tiny-r1.gguf", "sha256": "0" * 64},
        }
    }
    done = play(lab, tmp_path, "bad", model_server_releases=releases)
    assert done.returncode != 0
    assert "not the declared" in done.stdout
    assert "bad" not in lab.exec("gpu2", ["ls", "-A", f"{POOL}/releases"]).stdout.split()
    assert ask(lab.hosts["gpu2"].address)[0] == 200


def test_a_stop_waits_for_a_running_stream(lab):
    """The engine would cut it: SIGTERM ends generation and leaves the stream open and silent."""
    seen: list[tuple[int, dict]] = []
    address = lab.hosts["gpu3"].address
    thread = threading.Thread(target=lambda: seen.append(ask(address, max_tokens=3000)))
    thread.start()
    until = time.monotonic() + 10
    while not running(address) and time.monotonic() < until:
        time.sleep(0.02)
    assert running(address) == 1
    lab.exec("gpu3", ["systemctl", "restart", UNIT])
    thread.join(60)
    assert seen[0][0] == 200
    assert seen[0][1]["usage"]["completion_tokens"] == 3000


def test_a_killed_engine_comes_back_by_itself(lab):
    lab.exec("gpu1", ["systemctl", "kill", "--signal=SIGKILL", UNIT])
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if ask(lab.hosts["gpu1"].address)[0] == 200:
                break
        except OSError:
            time.sleep(0.2)
    assert ask(lab.hosts["gpu1"].address)[0] == 200

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story: a pool changes its release under load, with reloads in the middle, and nobody notices."""

from __future__ import annotations

import threading
import time

import pytest

from tests.chaos import story
from tests.lab.containers import Lab
from tests.lab.load import LoadRun
from tests.lab.load_loop import Plan
from tests.lab.pace import bearable

DEPLOY = ("playbooks/rolling_deploy.yml", "-e", "pool=serving")
NODES = ("gpu1", "gpu2", "gpu3")


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.from_env()


@pytest.fixture(autouse=True)
def on_r1(lab):
    """Each case begins with every node on r1 and in traffic."""
    done = lab.playbook(
        *DEPLOY, "-e", "release=r1", "-e", "bake_time=1", "-e", "min_requests=0", "-e", "admit_drained=true"
    )
    assert done.returncode == 0, done.stdout[-3000:]


def releases(lab: Lab) -> list[str]:
    return [lab.exec(n, ["readlink", "/srv/models/serving/current"]).stdout.strip().rpartition("/")[2] for n in NODES]


def drained(lab: Lab) -> bool:
    """Whether any balancer has a server out of traffic."""
    ask = "import socket\ns=socket.socket(socket.AF_UNIX)\ns.connect('/run/haproxy-master.sock')\n"
    ask += "s.sendall(b'@1 show servers state serving\\n')\ns.shutdown(1)\n"
    ask += "print(b''.join(iter(lambda: s.recv(65536), b'')).decode())"
    out = "".join(lab.exec(lb, ["python3", "-c", ask]).stdout for lb in ("lb1", "lb2"))
    return any(line.split()[6] != "0" for line in out.splitlines() if " serving " in line and len(line.split()) > 8)


def rolled_under_load(lab: Lab, tmp_path, *arguments: str, meanwhile=None):
    """Roll while clients send; return the playbook's result and what became of every request."""
    plan = Plan(url=f"http://{lab.virtual_ip}:8080", name="story", rate=100, streams=6, model="tiny")
    with LoadRun(bearable(plan), tmp_path / "load.json", tmp_path / "load.log") as load:
        time.sleep(3)
        thread = threading.Thread(target=meanwhile or (lambda: None))
        thread.start()
        done = lab.playbook(*DEPLOY, *arguments)
        thread.join(60)
        result = load.stop()
    return done, result


def lost(result) -> tuple[int, int]:
    return result["requests"]["failed"], result["streams"]["cut"]


def test_rolls_with_both_balancers_reloaded_in_the_middle_of_a_drain(lab, tmp_path):
    reloads = []

    def reload():
        end = time.monotonic() + 120
        while time.monotonic() < end and not drained(lab):
            time.sleep(0.3)
        for balancer in ("lb1", "lb2"):
            reloads.append(lab.exec(balancer, ["systemctl", "reload", "haproxy"], check=False).returncode)

    done, result = rolled_under_load(lab, tmp_path, "-e", "release=r2", meanwhile=reload)
    assert done.returncode == 0, done.stdout[-3000:]
    assert reloads == [0, 0]
    assert lost(result) == (0, 0), story.samples(result)
    assert result["requests"]["sent"] > 500
    assert releases(lab) == ["r2"] * 3
    assert not drained(lab)


def test_a_release_that_cannot_be_loaded_is_taken_back(lab, tmp_path):
    done, result = rolled_under_load(lab, tmp_path, "-e", "release=r3-broken")
    assert done.returncode != 0
    last = done.stdout.strip().splitlines()[-1]
    assert "Rollout of serving to r3-broken stopped at gpu1" in last
    assert "is back in traffic on r1" in last
    assert lost(result) == (0, 0), story.samples(result)
    assert releases(lab) == ["r1"] * 3
    assert not drained(lab)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pool=nowhere", "release=r2"), "no pool 'nowhere'"),
        (("pool=serving", "release=r9"), "no release 'r9'"),
        (("pool=serving", "release=r2", "min_available=4"), "min_available is 4"),
    ],
)
def test_bad_input_is_refused_with_one_message_before_any_drain(lab, arguments, message):
    words = [word for argument in arguments for word in ("-e", argument)]
    done = lab.playbook("playbooks/rolling_deploy.yml", *words)
    assert done.returncode != 0
    assert message in done.stdout.strip().splitlines()[-1]
    assert releases(lab) == ["r1"] * 3
    assert not drained(lab)


@pytest.mark.parametrize("host", ["lb2", "gpu3"])
def test_a_host_that_is_gone_stops_the_rollout_before_any_drain(lab, host):
    lab.kill(host)
    try:
        done = lab.playbook(*DEPLOY, "-e", "release=r2")
        assert done.returncode != 0
        last = done.stdout.strip().splitlines()[-1]
        assert f"the rollout was not begun: {host}: " in last
        assert "is not running" in last
        assert last.endswith("Nothing was changed.")
    finally:
        lab.start(host)
    settled = time.monotonic() + 20
    while time.monotonic() < settled and lab.exec(host, ["systemctl", "is-system-running"], check=False).returncode:
        time.sleep(0.5)
    time.sleep(5)
    assert not drained(lab)


def test_check_mode_shows_the_plan_and_changes_nothing(lab):
    done = lab.playbook(*DEPLOY, "-e", "release=r2", "--check", "--diff")
    assert done.returncode == 0
    assert "batch 1: gpu1 (r1)" in done.stdout
    assert releases(lab) == ["r1"] * 3


def test_status_shows_every_server_at_every_balancer(lab):
    done = lab.playbook("playbooks/status.yml")
    assert done.returncode == 0
    assert "(virtual IP)" in done.stdout
    assert all(f"{node}    serving  r1" in done.stdout for node in NODES)

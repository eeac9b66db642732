# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a GPU does wrong is told within one look, and takes its host out of traffic. The GPU is a double."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from tests.lab.containers import Lab
from tests.lab.pair import eventually

DOUBLE = "/var/lib/gpu-double"
METRICS = "/var/lib/steadfast/metrics/steadfast_gpu.prom"
AGENT_PORT = 8100
FALLEN = "[   77.000000] NVRM: Xid (PCI:0000:41:00): 79, pid=4711, name=llama-server, GPU has fallen off the bus.\n"
LOST = "Unable to determine the device handle for GPU0000:41:00.0: GPU is lost. Reboot the system to recover this GPU\n"


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.from_env()


@pytest.fixture(params=["gpu1", "gpu2"])
def host(lab: Lab, request: pytest.FixtureRequest) -> Iterator[str]:
    """Each of the two Debians; its GPUs are well before and after."""
    yield request.param
    clear(lab, request.param)
    assert look(lab, request.param)["steadfast_gpu_node_healthy"] == 1


def write(lab: Lab, host: str, name: str, text: str) -> None:
    """Have the doubles answer otherwise."""
    lab.exec(host, ["python3", "-c", f"open({DOUBLE!r} + '/' + {name!r}, 'w').write({text!r})"])


def clear(lab: Lab, host: str) -> None:
    """As after a reboot that helped."""
    lab.exec(host, ["rm", "-f", *(f"{DOUBLE}/{name}" for name in ("hang", "refusal", "kernel.log"))])


def look(lab: Lab, host: str) -> dict[str, float]:
    """Have the probe look now; its metrics by name and labels."""
    lab.exec(host, ["systemctl", "start", "steadfast-gpu-probe.service"])
    lines = lab.exec(host, ["cat", METRICS]).stdout.splitlines()
    samples = (line.rpartition(" ") for line in lines if line[0] != "#")
    return {name: float(value) for name, _space, value in samples}


def agent(lab: Lab, host: str) -> str:
    """What the load agent tells HAProxy."""
    with socket.create_connection((lab.hosts[host].address, AGENT_PORT), timeout=5) as connection:
        return connection.makefile().read().strip()


def test_gpus_that_are_well(lab: Lab, host: str) -> None:
    seen = look(lab, host)
    assert seen["steadfast_gpu_count"] == seen["steadfast_gpu_expected_count"] == 2
    assert seen["steadfast_gpu_node_healthy"] == seen["steadfast_gpu_probe_success"] == 1
    eventually(lambda: agent(lab, host).startswith("up"), "the agent says up", 10)


def test_the_timer_looks_by_itself(lab: Lab, host: str) -> None:
    before = look(lab, host)["steadfast_gpu_probe_last_run_timestamp_seconds"]

    def again() -> bool:
        found = lab.exec(host, ["grep", "^steadfast_gpu_probe_last_run", METRICS]).stdout
        return float(found.split()[1]) > before

    eventually(again, "the timer looked", 60)


def test_a_gpu_that_falls_off_the_bus_takes_its_host_out_of_traffic(lab: Lab, host: str) -> None:
    write(lab, host, "kernel.log", FALLEN)
    write(lab, host, "refusal", LOST)
    seen = look(lab, host)
    assert seen["steadfast_gpu_node_healthy"] == 0
    assert [name for name in seen if 'kind="xid 79"' in name and 'action="reboot"' in name]
    eventually(lambda: agent(lab, host).startswith("down #"), "the agent says down", 10)
    assert "GPU is lost" in agent(lab, host)
    told = lab.exec(host, ["journalctl", "--unit=steadfast-gpu-probe", "--lines=5", "--output=cat"]).stdout
    assert "the GPUs are failed" in told
    # Not a unit that has failed: the probe did its work.
    assert lab.exec(host, ["systemctl", "is-failed", "steadfast-gpu-probe"], check=False).stdout.strip() == "inactive"
    clear(lab, host)
    assert look(lab, host)["steadfast_gpu_node_healthy"] == 1
    eventually(lambda: agent(lab, host).startswith("up"), "the agent says up", 10)


def test_a_driver_that_hangs_is_not_waited_for(lab: Lab, host: str) -> None:
    write(lab, host, "hang", "")
    seen = look(lab, host)
    assert seen["steadfast_gpu_probe_success"] == 0
    assert [name for name in seen if 'kind="nvidia-smi hangs"' in name and 'action="reboot"' in name]
    eventually(lambda: agent(lab, host).startswith("down #"), "the agent says down", 10)


def test_the_module_judges_as_the_probe_does(lab: Lab, host: str) -> None:
    write(lab, host, "refusal", LOST)
    look(lab, host)
    said = json.loads(lab.exec(host, ["cat", "/run/steadfast/verdict.json"]).stdout)
    judged = lab.module(host, "steadfast.ai_platform.gpu_health_info", {"expected_count": 2, "expected_mig": False})
    assert (judged["verdict"], judged["why"]) == ("failed", said["reason"])


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        ({}, 0, "skipping: [spare1]"),
        ({"gpu_node_without_gpu": "fail"}, 2, "spare1 shows no sign of an NVIDIA GPU"),
        ({"gpu_node_interval": 120}, 2, "together at most 150 (given: 120 and 60)"),
        ({"gpu_node_expected": {"count": -1}}, 2, "has no number below 0"),
        ({"gpu_node_overrides": {"94": "pray"}}, 2, "none, restart_app, reset_gpu, reboot, isolate"),
    ],
    ids=["skipped", "refused", "interval", "count", "override"],
)
def test_a_host_without_a_gpu_and_wrong_input(lab: Lab, given: dict, code: int, told: str) -> None:
    done = lab.playbook("molecule/gpu_node/other.yml", "-e", json.dumps(given))
    assert done.returncode == code, done.stdout[-2000:]
    assert told in " ".join(done.stdout.split())
    assert "changed=0" in done.stdout
    assert lab.exec("spare1", ["systemctl", "cat", "steadfast-gpu-probe.timer"], check=False).returncode

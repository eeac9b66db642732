# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS and passwords, by variable; and what is refused before anything is changed."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab.containers import Lab
from tests.lab.pair import eventually
from tests.lab.settings import ROOT, cache

from .conftest import Monitor, Told, switch

WORD = "not-a-secret-in-the-lab"
# bcrypt of that, with few rounds.
USERS = {"prometheus": "$2b$05$r8bhaFRTLlPRcd8i4uCvA.hePVbgIPbR8EZoV0RCFTF2WPbOHfvSa"}
TLS = {
    "certificate": f"{cache()}/tls/lab.pem",
    "key": f"{cache()}/tls/lab.key",
    "authority": f"{cache()}/tls/lab.pem",
    "server_name": "lab",
}
CONVERGE = str(Path(__file__).parents[1] / "converge.yml")


def play(lab: Lab, hosts: str, role: str, variables: dict[str, Any], *arguments: str) -> str:
    """One role on some hosts, with other variables. Returns its output; raises AssertionError when it fails."""
    book = [
        {
            "hosts": hosts,
            "serial": 1,
            "tasks": [{"name": "Try", "ansible.builtin.include_role": {"name": f"steadfast.ai_platform.{role}"}}],
        }
    ]
    path = ROOT / "build" / "access.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(book), encoding="utf-8")
    done = lab.playbook(str(path), "-e", json.dumps(variables), *arguments)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


@contextmanager
def back_to_normal(lab: Lab, *limit: str) -> Iterator[None]:
    """Whatever a case did, the inventory's settings are there again after it."""
    try:
        yield
    finally:
        done = lab.playbook(CONVERGE, "--limit", ",".join(limit))
        assert done.returncode == 0, done.stdout[-3000:]


def status(lab: Lab, port: int, user: str = "") -> int:
    """The status that the witness answers with, to one who trusts the lab's certificate."""
    trusting = ssl.create_default_context(cafile=TLS["authority"])
    headers = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"} if user else {}
    plain = socket.create_connection((lab.hosts["witness1"].address, port), timeout=10)
    with trusting.wrap_socket(plain, server_hostname="lab") as secured:
        connection = http.client.HTTPConnection("lab", port)
        connection.sock = secured
        connection.request("GET", "/metrics", headers=headers)
        return connection.getresponse().status


def test_an_agent_with_tls_and_a_password(lab: Lab) -> None:
    with back_to_normal(lab, "witness1"):
        play(lab, "witness1", "monitoring_agent", {"monitoring_agent_tls": TLS, "monitoring_agent_users": USERS})
        # A service that was just restarted may not listen yet.
        eventually(lambda: status(lab, 9100, f"prometheus:{WORD}") == 200, "it answers", 30)
        assert status(lab, 9100, "prometheus:wrong") == 401
        assert status(lab, 9100) == 401


@pytest.mark.skipif(os.environ.get("STEADFAST_CHAOS") != "whole", reason="minutes; with make chaos")
def test_the_pair_with_tls_and_passwords(lab: Lab, told: Told, monitors: list[Monitor]) -> None:
    given = {
        "monitoring_tls": TLS,
        "monitoring_users": USERS,
        "monitoring_user": "prometheus",
        "monitoring_password": WORD,
    }
    with back_to_normal(lab, "monitors"):
        done = lab.playbook(CONVERGE, "--limit", "monitors", "-e", json.dumps(given))
        assert done.returncode == 0, done.stdout[-3000:]
        before = len(told.alerts("LabSwitch"))
        switch(lab, True)
        eventually(lambda: len(told.alerts("LabSwitch")) > before, "an alert arrives by TLS", 60)
        switch(lab, False)
        with pytest.raises(OSError, match=r"refused|closed|Bad|reset|400"):
            monitors[0].query("vector(1)")


@pytest.mark.parametrize(
    ("role", "variables", "said"),
    [
        ("monitoring", {"monitoring_servers": {"other": "192.0.2.1"}}, "must name this host"),
        ("monitoring", {"monitoring_jobs": [{"name": "prometheus", "port": 1, "groups": []}]}, "a name of its own"),
        ("monitoring", {"monitoring_users": {"prometheus": "plain"}}, "bcrypt"),
        ("monitoring", {"monitoring_pools": {"serving": {"servers": 1, "required": 2}}}, "required must be between"),
        ("monitoring_agent", {"monitoring_agent_tls": {"key": "x"}}, "needs certificate and key"),
    ],
)
def test_refused(lab: Lab, role: str, variables: dict[str, Any], said: str) -> None:
    with pytest.raises(AssertionError) as refusal:
        play(lab, "mon1", role, variables)
    text = " ".join(str(refusal.value).split())
    assert said in text
    assert "Nothing was changed." in text
    assert "changed=0" in text

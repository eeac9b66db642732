# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies on the hosts."""

from __future__ import annotations

from typing import Any

import pytest

testinfra_hosts = ["ansible://load_balancers"]


@pytest.mark.parametrize("name", ["haproxy", "keepalived"])
def test_services_run_now_and_after_a_boot(host: Any, name: str) -> None:
    assert host.service(name).is_running
    assert host.service(name).is_enabled


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        ("/etc/haproxy/haproxy.cfg", 0o640),
        ("/etc/haproxy/tls", 0o700),
        ("/run/haproxy-master.sock", 0o660),
        ("/run/haproxy/admin.sock", 0o660),
    ],
)
def test_what_is_private_stays_private(host: Any, path: str, mode: int) -> None:
    assert host.file(path).mode == mode


def test_one_private_key_is_kept(host: Any) -> None:
    (certificate,) = host.file("/etc/haproxy/tls").listdir()
    assert host.file(f"/etc/haproxy/tls/{certificate}").mode == 0o600


def test_tracking_runs_as_nobody_special(host: Any) -> None:
    assert host.user("keepalived_script").shell == "/usr/sbin/nologin"
    assert "SECURITY VIOLATION" not in host.run("journalctl --unit=keepalived --output=cat").stdout

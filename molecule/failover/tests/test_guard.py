# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard's log outlives a ledger host, and without a majority it allows nothing."""

from __future__ import annotations

import subprocess

from tests.lab.pair import Pair

JOURNAL = "/var/lib/steadfast/ledger/.guard/journal"


def told(pair: Pair, **variables: str) -> subprocess.CompletedProcess[str]:
    """A person's word to the guard."""
    words = [word for name, value in variables.items() for word in ("-e", f"{name}='{value}'")]
    return pair.lab.playbook("playbooks/guard.yml", *words)


def test_what_was_said_outlives_any_one_ledger_host(pair: Pair) -> None:
    standby = pair.standby().name
    pair.lab.kill("witness1")
    try:
        done = told(pair, state="pause", by="alice", reason="rack 3 is moved")
        assert done.returncode == 0, done.stdout[-2000:]
        assert "changed=1" in done.stdout
    finally:
        pair.lab.start("witness1")
    # Another host is away now; what only the others knew is known, and the one that came back learns it.
    pair.lab.kill(standby)
    try:
        done = told(pair, state="resume", by="bob", reason="rack 3 is back")
        assert done.returncode == 0, done.stdout[-2000:]
        assert "changed=1" in done.stdout
        lines = pair.lab.exec("witness1", ["cat", JOURNAL]).stdout.splitlines()
        assert ['"event":"paused"' in lines[-2], '"event":"resumed"' in lines[-1]] == [True, True]
        pair.lab.kill("witness1")
        done = told(pair)
        assert done.returncode != 0
        assert "1 of 3 ledger hosts can be read, 2 are needed" in done.stdout
    finally:
        for host in ("witness1", standby):
            pair.lab.start(host)
    verified = told(pair, state="verify")
    assert verified.returncode == 0, verified.stdout[-2000:]
    assert "alice" in told(pair).stdout

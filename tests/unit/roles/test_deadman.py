# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dead-man timer's program, beside the folder that the role installs for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.roles.program import install


@pytest.fixture
def program(tmp_path):
    installed = install("load_balancer/files/deadman.py", tmp_path)

    def run(*arguments):
        argv = [sys.executable, str(installed), *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    return run


def test_without_a_ledger_there_is_nothing_to_do(program, tmp_path):
    done = program("lb1", "--folder", str(tmp_path / "absent"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_one_damaged_ledger_hides_no_other_and_is_said(program, tmp_path):
    for pool, journal in (("damaged", "rubbish\nmore\nend\n"), ("fresh", "")):
        (tmp_path / "ledger" / pool).mkdir(parents=True)
        (tmp_path / "ledger" / pool / "journal").write_text(journal)
    done = program("lb1", "--folder", str(tmp_path / "ledger"))
    assert done.returncode == 1
    assert "damaged: line 1 of the journal" in done.stderr
    assert "fresh" not in done.stderr


def test_keys_that_cannot_be_read_are_said_and_nothing_is_done(program, tmp_path):
    (tmp_path / "ledger" / "serving").mkdir(parents=True)
    keys = tmp_path / "keys.json"
    keys.write_text("no JSON")
    done = program("lb1", "--folder", str(tmp_path / "ledger"), "--keys", str(keys))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"serving: the keys of the engines in {keys} cannot be read" in done.stderr


@pytest.mark.parametrize("content", [None, "{}", '{"other": "secret"}'])
def test_a_pool_without_a_key_needs_none(program, tmp_path, content):
    (tmp_path / "ledger" / "serving").mkdir(parents=True)
    keys = tmp_path / "keys.json"
    if content:
        keys.write_text(content)
    done = program("lb1", "--folder", str(tmp_path / "ledger"), "--keys", str(keys))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_prometheus_is_told_which_pools_are_there(program, tmp_path):
    (tmp_path / "ledger" / "serving").mkdir(parents=True)
    textfile = tmp_path / "pools.prom"
    program("lb1", "--folder", str(tmp_path / "ledger"), "--textfile", str(textfile), "--tell", "serving,new")
    told = [line for line in textfile.read_text().splitlines() if not line.startswith("#")]
    assert told == ['steadfast_pool_held{pool="new"} 0.0', 'steadfast_pool_held{pool="serving"} 0.0']
    done = program("lb1", "--folder", str(tmp_path / "ledger"), "--textfile", str(tmp_path / "absent" / "pools.prom"))
    assert "cannot be written" in done.stderr

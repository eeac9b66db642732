# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that tells Prometheus how the store is, beside the files that the role installs for it."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.unit.roles.program import install


def test_a_daemon_that_is_not_there_is_told(tmp_path):
    program = install("model_store/files/store_metrics.py", tmp_path)
    textfile = tmp_path / "store.prom"
    argv = [sys.executable, str(program), "store", str(textfile)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, "PATH": str(tmp_path)})
    assert done.returncode == 1
    assert "gluster" in done.stderr
    assert 'steadfast_store_last_run_success{volume="store"} 0.0' in textfile.read_text()

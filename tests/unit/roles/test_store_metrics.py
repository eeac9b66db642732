# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that tells Prometheus how the store is, beside the files that the role installs for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "model_store"


def test_a_daemon_that_is_not_there_is_told(tmp_path):
    """Only the files that the role copies: one that it forgets is missed here."""
    for name in yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__model_store_python_files"]:
        target = tmp_path / "steadfast_platform" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((ROOT / "plugins" / "module_utils" / name).read_text())
    program = tmp_path / "store_metrics.py"
    program.write_text((ROLE / "files" / "store_metrics.py").read_text())
    textfile = tmp_path / "store.prom"
    argv = [sys.executable, str(program), "store", str(textfile)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, "PATH": str(tmp_path)})
    assert done.returncode == 1
    assert "gluster" in done.stderr
    assert 'steadfast_store_last_run_success{volume="store"} 0.0' in textfile.read_text()

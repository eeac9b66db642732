# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the storage daemon of this server how a volume is, and tells Prometheus: store_metrics.py VOLUME FILE."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from steadfast_platform import atomic
from steadfast_platform.errors import PlatformError, Unreadable
from steadfast_platform.storage.gluster_client import Gluster
from steadfast_platform.storage.health import findings
from steadfast_platform.storage.metrics import textfile


def run(argv: list[str]) -> tuple[int, str, str]:
    """A command's status, output and errors. Raises Unreadable when it cannot be run, or does not end."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=90)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unreadable("{0}: {1}".format(argv[0], error)) from error
    return done.returncode, done.stdout, done.stderr


def main(argv: list[str]) -> int:
    """Ask once. Exit status 1 when the daemon did not answer."""
    parser = argparse.ArgumentParser(prog="store_metrics.py")
    parser.add_argument("volume")
    parser.add_argument("file", help="textfile for the node exporter")
    parser.add_argument("--min-free", type=float, default=0.1, help="fraction of a brick that should be free")
    options = parser.parse_args(argv)
    seen, found = None, []
    try:
        seen = Gluster(run).look(options.volume)
        found = findings(seen, options.min_free)
    except PlatformError as error:
        print(error.message, file=sys.stderr, flush=True)
    atomic.replace(options.file, textfile(options.volume, seen, found, time.time()), 0o644)
    return 0 if seen else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the logs of all hosts within their limits: log_keep.py FOLDER METRICS --days DAYS --disk MIB ...

Files are FOLDER/HOST/YYYY-MM-DD.log. Whole days go, the oldest first, never the present one. rsyslog acknowledges a
line that it cannot write, so it must never meet a full disk: before there is one, the log server is stopped, and
started when there is room again. Whoever sends keeps the lines meanwhile. Standard library, and what lies beside it.
"""

from __future__ import annotations

import argparse
import datetime
import os
import re
import subprocess
import sys

from log_canary_reader import replace

NAME = re.compile(r"(\d{4})-(\d{2})-(\d{2})\.log")


def day(name: str) -> datetime.date | None:
    """The day of a file's name."""
    found = NAME.fullmatch(name)
    try:
        return datetime.date(*(int(part) for part in found.groups())) if found else None
    except ValueError:
        return None


def doomed(files: list[tuple[str, datetime.date, int]], today: datetime.date, days: int, limit: int) -> list[str]:
    """What is to go, of files as path, day and bytes: what is older than so many days, and what is over the limit."""
    old = today - datetime.timedelta(days=days)
    gone = [path for path, at, _size in files if at < old]
    left = sum(size for _path, at, size in files if at >= old)
    for path, at, size in sorted(files, key=lambda file: (file[1], file[0])):
        if old <= at < today and left > limit:
            gone.append(path)
            left -= size
    return gone


def closed(free: int, spare: int, was_closed: bool) -> bool:
    """Whether to take no lines, by bytes that are free and that are to stay free. It opens with a quarter more."""
    return free < (spare * 5 // 4 if was_closed else spare)


def gate(mark: str, unit: str, shut: bool) -> None:
    """Stop the log server, or start it again. The mark keeps others from starting it. Raises OSError."""
    was_shut = os.path.exists(mark)
    if shut and not was_shut:
        with open(mark, "w", encoding="utf-8"):
            print("<3>the disk is nearly full: no lines are taken until there is room", flush=True)
    elif was_shut and not shut:
        os.unlink(mark)
        print("<5>there is room on the disk: lines are taken again", flush=True)
    if shut or was_shut:
        subprocess.run(["systemctl", "--no-block", "stop" if shut else "start", unit], check=True, timeout=30)


def listing(folder: str) -> list[tuple[str, datetime.date, int]]:
    """The files of all hosts. Raises OSError."""
    found = []
    for host in os.scandir(folder):
        if not host.is_dir(follow_symlinks=False):
            continue
        for file in os.scandir(host.path):
            at = day(file.name)
            if at is not None and file.is_file(follow_symlinks=False):
                found.append((file.path, at, file.stat(follow_symlinks=False).st_size))
    return found


def main(argv: list[str]) -> int:
    """Entry point. Raises OSError."""
    parser = argparse.ArgumentParser(prog="log_keep.py")
    parser.add_argument("folder")
    parser.add_argument("metrics")
    parser.add_argument("--days", type=int, required=True, help="days that are kept before this one")
    parser.add_argument(
        "--disk", type=int, required=True, help="MiB of all files; the present day's stay, whatever they take"
    )
    parser.add_argument("--spare", type=int, required=True, help="MiB of the disk that stay free")
    parser.add_argument("--gate", required=True, help="file that is there while no lines are taken")
    parser.add_argument("--unit", default="steadfast-log-server.service")
    options = parser.parse_args(argv)
    files = listing(options.folder)
    gone = set(doomed(files, datetime.date.today(), options.days, options.disk * 2**20))
    for path in gone:
        os.unlink(path)
        try:
            os.rmdir(os.path.dirname(path))
        except OSError:
            # Not empty.
            continue
    disk = os.statvfs(options.folder)
    shut = closed(disk.f_bavail * disk.f_frsize, options.spare * 2**20, os.path.exists(options.gate))
    gate(options.gate, options.unit, shut)
    lines = [
        "# HELP steadfast_log_server_closed 1 while no lines are taken, as the disk is nearly full.",
        "# TYPE steadfast_log_server_closed gauge",
        "steadfast_log_server_closed {0:d}".format(shut),
        "# HELP steadfast_log_server_bytes The logs of all hosts.",
        "# TYPE steadfast_log_server_bytes gauge",
        "steadfast_log_server_bytes {0}".format(sum(size for path, _at, size in files if path not in gone)),
        "# HELP steadfast_log_server_limit_bytes What they may take.",
        "# TYPE steadfast_log_server_limit_bytes gauge",
        "steadfast_log_server_limit_bytes {0}".format(options.disk * 2**20),
    ]
    replace(os.path.join(options.metrics, "steadfast_log_server.prom"), "\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

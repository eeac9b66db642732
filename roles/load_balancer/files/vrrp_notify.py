# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remembers what keepalived tells: vrrp_notify.py ADDRESS FOLDER METRICS TYPE NAME STATE PRIORITY.

Writes a line to the system's journal, the state with its history to FOLDER/ADDRESS.json, and a textfile for Prometheus
to METRICS. keepalived adds the last four arguments. Runs as the user that owns both folders; standard library only.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import syslog
import tempfile
import time

STATES = ("BACKUP", "MASTER", "FAULT", "STOP")
KEEP = 50  # transitions that are remembered


def remembered(path: str) -> dict:
    """What was written last; nothing when that cannot be read, since no state may be lost for it."""
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
        return found if isinstance(found, dict) and isinstance(found.get("history"), list) else {}
    except (OSError, ValueError):
        return {}


def told(stat: str, boot: str) -> list:
    """When keepalived told it: which boot, then what grows with every process that is started. Source: proc(5)."""
    words = stat.rpartition(")")[2].split()
    return [boot, int(words[19]), int(stat.split(maxsplit=1)[0])]


def late(known: dict, when: list) -> bool:
    """Whether something newer is known already: keepalived waits for nobody, so a slow process may be overtaken."""
    newest = known.get("told")
    sane = isinstance(newest, list) and len(newest) == 3 and all(isinstance(each, int) for each in newest[1:])
    return sane and newest[0] == when[0] and newest[1:] > when[1:]


def after(known: dict, address: str, state: str, priority: int, now: float, when: list) -> dict:
    """The state after a transition at `now` (seconds since 1970). A state that is told twice is no transition."""
    transitions, history = int(known.get("transitions", 0)) + 1, known.get("history", [])
    entry = {"state": state, "at": round(now, 3)}
    if late(known, when):
        return {**known, "transitions": transitions, "history": [*history[:-1], entry, *history[-1:]][-KEEP:]}
    if known.get("state") == state:
        return {**known, "told": when}
    return {
        "address": address,
        "state": state,
        "priority": priority,
        "since": round(now, 3),
        "transitions": transitions,
        "history": [*history, entry][-KEEP:],
        "told": when,
    }


def textfile(known: dict) -> str:
    """The state as Prometheus reads it."""
    label = '{{address="{0}"}}'.format(known["address"])
    lines = [
        "# HELP steadfast_vrrp_state 1 for the state that this balancer is in.",
        "# TYPE steadfast_vrrp_state gauge",
    ]
    for state in STATES:
        wanted = 'steadfast_vrrp_state{{address="{0}",state="{1}"}} {2}'
        lines.append(wanted.format(known["address"], state.lower(), int(state == known["state"])))
    lines += [
        "# HELP steadfast_vrrp_transitions_total Changes of state.",
        "# TYPE steadfast_vrrp_transitions_total counter",
        "steadfast_vrrp_transitions_total{0} {1}".format(label, known["transitions"]),
        "# HELP steadfast_vrrp_last_change_timestamp_seconds When the state changed.",
        "# TYPE steadfast_vrrp_last_change_timestamp_seconds gauge",
        "steadfast_vrrp_last_change_timestamp_seconds{0} {1}".format(label, known["since"]),
    ]
    return "\n".join(lines) + "\n"


def replace(path: str, text: str) -> None:
    """Write a file whole, or leave it. Raises OSError."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".vrrp.")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def read(path: str) -> str:
    """A file of the kernel's. Raises OSError."""
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read()


def main(argv: list[str]) -> int:
    """Entry point. Exit status 1 when it could not be remembered."""
    address, folder, metrics, _kind, _name, state, priority = argv[:7]
    syslog.openlog("steadfast-vrrp")
    syslog.syslog(syslog.LOG_NOTICE, "{0}: {1}, priority {2}".format(address, state, priority))
    path = os.path.join(folder, address + ".json")
    try:
        when = told(read("/proc/self/stat"), read("/proc/sys/kernel/random/boot_id").strip())
        # Two transitions may follow each other faster than one is written.
        with open(os.path.join(folder, "lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = after(remembered(path), address, state, int(priority), time.time(), when)
            replace(path, json.dumps(known) + "\n")
            replace(os.path.join(metrics, "steadfast_vrrp_{0}.prom".format(address)), textfile(known))
    except OSError as error:
        syslog.syslog(syslog.LOG_ERR, "the state could not be written: {0}".format(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

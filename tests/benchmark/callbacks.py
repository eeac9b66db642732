# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rollout_board and rollout_journal cost where there is no rollout, against Ansible's default output.

HOSTS x TASKS debug tasks, which never leave the controller, so that Ansible itself is all there is to slow down. Both
sides run turn by turn, ROUNDS times each, and the one that begins changes; then each side's fastest run counts, because
whatever else the machine does can only add. Exit 1 when ours takes more than LIMIT times the default's time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOSTS, TASKS, ROUNDS = (
    int(os.environ.get(name, value)) for name, value in (("HOSTS", 500), ("TASKS", 40), ("ROUNDS", 3))
)
LIMIT = 1.05


def sides(folder: Path) -> dict[str, dict[str, str]]:
    """The environment of each side."""
    ours = {"STEADFAST_JOURNAL": str(folder / "journal.jsonl"), "STEADFAST_TEXTFILE": str(folder / "steadfast.prom")}
    enabled = "steadfast.ai_platform.rollout_journal"
    return {
        "default": {"ANSIBLE_STDOUT_CALLBACK": "default"},
        "ours": {
            "ANSIBLE_STDOUT_CALLBACK": "steadfast.ai_platform.rollout_board",
            "ANSIBLE_CALLBACKS_ENABLED": enabled,
            **ours,
        },
    }


def prepare(folder: Path) -> list[str]:
    """Write inventory and playbook; return the command."""
    # Not the project's own: forks and all the rest are Ansible's defaults.
    (folder / "ansible.cfg").write_text("[defaults]\n")
    (folder / "hosts").write_text("".join(f"host{number:04}\n" for number in range(HOSTS)))
    tasks = [{"name": f"Task {number}", "ansible.builtin.debug": {"msg": "hello"}} for number in range(TASKS)]
    # JSON is YAML.
    (folder / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    return [
        str(Path(sys.executable).parent / "ansible-playbook"),
        "-i",
        str(folder / "hosts"),
        str(folder / "play.yml"),
    ]


def measure(command: list[str], folder: Path, env: dict[str, str]) -> tuple[float, float]:
    """Seconds on the clock and seconds of processor time of one run, whose output goes into a file."""
    settings = {
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
    }
    before, began = os.times(), time.monotonic()
    with (folder / "output").open("w") as output:
        subprocess.run(command, env={**os.environ, **settings, **env}, stdout=output, check=True, timeout=3600)
    took, after = time.monotonic() - began, os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return took, spent


def main() -> int:
    """Exit status: 0 within the limit, 1 above it."""
    with tempfile.TemporaryDirectory(prefix="steadfast-bench-") as place:
        folder = Path(place)
        command, both = prepare(folder), sides(folder)
        measure(command, folder, both["default"])  # compiles what is to be compiled, fills the caches
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in both}
        for turn in range(ROUNDS):
            for name in sorted(both, reverse=bool(turn % 2)):
                took[name].append(measure(command, folder, both[name]))
                print(f"{name:8} {took[name][-1][0]:8.2f} s, {took[name][-1][1]:8.2f} s of processor time", flush=True)
        written = len((folder / "journal.jsonl").read_text().splitlines())
        results = ROUNDS * HOSTS * TASKS
        if written < results:
            print(f"The journal has {written} lines for {results} results: nothing was measured", file=sys.stderr)
            return 1
    ratio, spent = (
        min(each[kind] for each in took["ours"]) / min(each[kind] for each in took["default"]) for kind in (0, 1)
    )
    print(f"{HOSTS} hosts x {TASKS} tasks: {ratio:.3f} times the default's time (limit {LIMIT}), processor {spent:.3f}")
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())

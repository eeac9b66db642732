# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's command line: python -m tests.lab up | down | status | demo."""

from __future__ import annotations

import argparse
import sys

from .containers import Lab
from .prepare import prepare
from .settings import LabError


def up() -> int:
    """Start the lab with everything it needs."""
    prepare(Lab.from_env())
    return 0


def down() -> int:
    """Remove the lab."""
    Lab.from_env().down()
    return 0


def status() -> int:
    """Show the containers, and the platform in them."""
    lab = Lab.from_env()
    print(lab.status(), flush=True)
    return lab.playbook("playbooks/status.yml", capture_output=False).returncode


def demo() -> int:
    """Run the whole story."""
    from .demo import run

    return run()


def main() -> int:
    """Entry point."""
    commands = {"up": up, "down": down, "status": status, "demo": demo}
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    parser.add_argument("command", choices=commands, help="; ".join(f"{n}: {c.__doc__}" for n, c in commands.items()))
    try:
        return commands[parser.parse_args().command]()
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

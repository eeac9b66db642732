# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dead-man timer's program: deadman.py BALANCER [--folder LEDGERS] [--socket MASTER] [--keys FILE] ...

Brings back into traffic, with proof, what a rollout had drained whose controller is dead. Prints a line for each act.
Tells Prometheus, in a textfile, which pools are held and how their last run went.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from steadfast_platform import atomic
from steadfast_platform.errors import PlatformError, Unreadable
from steadfast_platform.haproxy.client import MasterSocket
from steadfast_platform.haproxy.control import Balancer
from steadfast_platform.ledger.store import Store, now
from steadfast_platform.rollout import markers
from steadfast_platform.rollout.deadman_service import DeadMan


def api_keys(path: str) -> dict[str, str]:
    """The key of each pool whose engines ask for one; none without the file. Raises Unreadable."""
    try:
        with open(path, encoding="utf-8") as stream:
            return {str(pool): str(key) for pool, key in json.load(stream).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        raise Unreadable("the keys of the engines in {0} cannot be read: {1}".format(path, error)) from error


def tell(path: str, folder: str, pools: list[str]) -> None:
    """Write what the ledgers of these pools tell. One that cannot be read is left out. Raises OSError."""
    told = {}
    for pool in pools:
        store = Store(folder, pool)
        try:
            told[pool] = (store.lease().left(now()) > 0, store.records()[0])
        except PlatformError:
            continue
    atomic.replace(path, markers.textfile(told), 0o644)


def main(argv: list[str]) -> int:
    """Look at every pool once. Exit status 1 when one of them could not be looked at."""
    parser = argparse.ArgumentParser(prog="deadman.py")
    parser.add_argument("balancer", help="this balancer's name in the inventory")
    parser.add_argument("--folder", default="/var/lib/steadfast/ledger")
    parser.add_argument("--socket", default="/run/haproxy-master.sock")
    parser.add_argument("--state-file", default="/var/lib/haproxy/server-state")
    parser.add_argument("--keys", default="", help="file with the API keys of pools")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds until quarantine")
    parser.add_argument("--textfile", default="", help="file of metrics for Prometheus; empty for none")
    parser.add_argument("--tell", default="", help="pools that are told of though nobody ever changed them: a,b")
    options = parser.parse_args(argv)
    status = 0
    found = os.listdir(options.folder) if os.path.isdir(options.folder) else []
    pools = sorted(pool for pool in found if not pool.startswith("."))
    for pool in pools:
        balancer = Balancer(MasterSocket(options.socket), options.state_file)
        try:
            store = Store(options.folder, pool)
            key = api_keys(options.keys).get(pool)
            for line in DeadMan(store, balancer, options.balancer, pool, options.patience, key).tick():
                print("{0}: {1}".format(pool, line), flush=True)
        except PlatformError as error:
            print("{0}: {1}".format(pool, error.message), file=sys.stderr, flush=True)
            status = 1
    try:
        if options.textfile:
            tell(options.textfile, options.folder, sorted({*pools, *filter(None, options.tell.split(","))}))
    except OSError as error:
        print("{0} cannot be written: {1}".format(options.textfile, error), file=sys.stderr, flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

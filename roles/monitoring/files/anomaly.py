# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The anomaly detector's program: anomaly CONFIGURATION [--check-config | --once].

Asks Prometheus every interval what it was told to, judges each series by what it has learned of it, and shows the
verdicts as metrics. SIGTERM ends it, after what was learned has been written down.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from steadfast_platform.anomaly.daemon import Daemon
from steadfast_platform.anomaly.settings import Settings, read
from steadfast_platform.errors import PlatformError, Refused


def configuration(path: str) -> Settings:
    """What the file says. Raises Refused."""
    try:
        with open(path, encoding="utf-8") as stream:
            return read(stream.read())
    except (OSError, UnicodeDecodeError) as error:
        raise Refused("the configuration cannot be read: {0}".format(error)) from error


def log(line: str) -> None:
    """The system's journal adds the time."""
    print(line, flush=True)


def parsed(argv: list[str]) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        prog="anomaly",
        description="Judge what Prometheus knows: series against their past, hosts against their like.",
        epilog="Exit status: 0, or 1 when it cannot work, or 2 when the configuration is wrong.",
    )
    parser.add_argument("configuration", help="file in JSON, for instance /etc/steadfast/anomaly.json")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check-config", action="store_true", help="say what is wrong with the configuration, and end")
    mode.add_argument(
        "--once",
        action="store_true",
        help="ask and judge once, print the metrics, and end; what was learned is read and not written",
    )
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Exit status 2 when the configuration is wrong, 1 when it cannot work."""
    options = parsed(argv)
    try:
        settings = configuration(options.configuration)
    except Refused as error:
        for line in error.message.splitlines():
            print("{0}: {1}".format(options.configuration, line), file=sys.stderr)
        return 2
    if options.check_config:
        log("{0} is valid: {1} queries".format(options.configuration, len(settings.queries)))
        return 0
    try:
        if options.once:
            daemon = Daemon(settings, lambda line: print(line, file=sys.stderr, flush=True))
            daemon.restore(put_aside=False)
            print(daemon.run().decode(), end="")
            return 0
        daemon = Daemon(settings, log)
        for number in (signal.SIGTERM, signal.SIGINT):
            # In a thread: a signal may find this one with the event's lock in its hands.
            signal.signal(number, lambda *_each: threading.Thread(target=daemon.stop.set).start())
        daemon.serve()
    except (PlatformError, OSError) as error:
        print("anomaly: {0}".format(error), file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

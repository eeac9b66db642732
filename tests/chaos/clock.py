# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose wall clock is wrong: containers share the machine's, so each of its programs is told another time."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import images
from tests.lab.containers import Lab

SOURCE = Path(__file__).with_name("clock.c")
LIBRARY = "/usr/local/lib/steadfast-clock.so"
PRELOAD = "/etc/ld.so.preload"


@contextmanager
def off(lab: Lab, host: str, seconds: int) -> Iterator[None]:
    """Programs that start on the host meanwhile have a wall clock so many seconds ahead, or behind."""
    before = now(lab, host)
    packed = base64.b64encode(library(lab, seconds)).decode()
    lab.exec(host, ["sh", "-c", f"echo {packed} | base64 -d > {LIBRARY} && echo {LIBRARY} > {PRELOAD}"])
    try:
        assert abs(now(lab, host) - before - seconds) < 60, "the clock is as it was"
        yield
    finally:
        lab.exec(host, ["rm", "-f", PRELOAD, LIBRARY])


def now(lab: Lab, host: str) -> float:
    """The host's wall clock, as Python reads it there."""
    return float(lab.exec(host, ["python3", "-c", "import time; print(time.time())"]).stdout)


def library(lab: Lab, seconds: int) -> bytes:
    """The shared library, compiled where the lab's engine is."""
    image = images.ensure(lab.client, images.builder_recipe())
    source = base64.b64encode(SOURCE.read_bytes()).decode()
    compile_it = f"gcc -shared -fPIC -O2 -Wall -Werror -DOFF='({seconds})' -x c -o /tmp/clock.so -"
    command = f"echo {source} | base64 -d | {compile_it} && base64 /tmp/clock.so"
    return base64.b64decode(lab.client.containers.run(image, ["sh", "-c", command], remove=True, network_mode="none"))

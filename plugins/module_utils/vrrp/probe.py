# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks an address at a fixed rate, each time on a connection of its own, and counts. Bounded in time and number."""

from __future__ import annotations

import http.client
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable

MAX_BODY = 64 * 1024
# Requests under way at once; more wait, so that a dead address costs no more than this many threads.
AT_ONCE = 64
UNCONNECTED = "not connected: "


@dataclass(frozen=True)
class Asked:
    """One request: when its answer, or its failure, was there (seconds of one clock), and why it failed.

    A request that never got a connection was sent to nobody; one that lost it may have been under way when the address
    moved.
    """

    end: float
    problem: str | None = None

    @property
    def connected(self) -> bool:
        """Whether somebody took the connection."""
        return self.problem is None or not self.problem.startswith(UNCONNECTED)


def longest_gap(asked: list[Asked]) -> float:
    """Seconds between two good answers, at most; 0 with fewer than two."""
    good = sorted(one.end for one in asked if one.problem is None)
    return max((later - earlier for earlier, later in zip(good, good[1:])), default=0.0)


def ask(url: tuple[str, str, int, str], timeout: float) -> str | None:
    """One GET of (scheme, host, port, path); None when it was answered 200, else why it was not."""
    scheme, host, port, path = url
    if scheme == "https":
        # What is asked is whether anybody answers; whose certificate it is, clients judge.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=timeout, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.connect()
    except OSError as error:
        # A reset before there is a connection is a refusal (Linux, tcp_reset): this one was there, and gone before
        # this process had its turn.
        lost = isinstance(error, ConnectionResetError)
        return "{0}{1}: {2}".format("" if lost else UNCONNECTED, type(error).__name__, error)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        answer.read(MAX_BODY)
        return None if answer.status == 200 else "HTTP {0}".format(answer.status)
    except (OSError, http.client.HTTPException) as error:
        return "{0}: {1}".format(type(error).__name__, error)
    finally:
        connection.close()


def probe(question: Callable[[], str | None], seconds: float, rate: float) -> list[Asked]:
    """Ask `rate` times a second for so many seconds, at least once, whether earlier ones are answered or not."""

    def one() -> Asked:
        problem = question()
        return Asked(time.monotonic(), problem)

    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        futures = []
        for number in range(max(1, round(seconds * rate))):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            futures.append(threads.submit(one))
        return [future.result() for future in futures]

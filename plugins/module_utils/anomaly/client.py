# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks Prometheus, bounded in time and size, past no proxy and to no other place than it was told."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlsplit

from ..errors import Unreadable
from .bounded import Connection
from .settings import Settings

PIECE = 65536


def authorization(path: str) -> dict[str, str]:
    """The header for a file that holds user:password; none without a file. Raises Unreadable."""
    if not path:
        return {}
    try:
        with open(path, encoding="utf-8") as stream:
            pair = stream.readline(1024).rstrip("\r\n")
    except (OSError, ValueError) as error:
        raise Unreadable("{0} cannot be read: {1}".format(path, error)) from error
    if not pair.partition(":")[2]:
        raise Unreadable("{0} does not hold user:password".format(path))
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


class Prometheus:
    """Several Prometheus that know the same, in order of preference.

    Args:
        settings: their addresses, and the bounds. Raises Unreadable when a file that it names cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Connection": "close",
            **authorization(settings.auth_file),
        }
        self._context: ssl.SSLContext | None = None
        if any(url.startswith("https:") for url in settings.urls):
            try:
                self._context = ssl.create_default_context(cafile=settings.ca_file or None)
            except OSError as error:
                raise Unreadable("{0} cannot be read: {1}".format(settings.ca_file, error)) from error
        # Those that nobody answered at in this run: waiting for them once is enough.
        self._away: set[str] = set()

    def begin(self) -> None:
        """A new run: everybody may have come back."""
        self._away.clear()

    def ask(self, query: str, parse: Callable[[bytes], Any]) -> Any:
        """The parsed answer of the first that gives one. Raises Unreadable, the evidence `reason` says why."""
        trouble = Unreadable("no Prometheus can be reached", reason="unreachable")
        for url in self._settings.urls:
            if url in self._away:
                continue
            try:
                return parse(self._post(url, query))
            except Unreadable as error:
                trouble = Unreadable("{0}: {1}".format(url, error.message), **error.evidence)
                if error.evidence["reason"] == "unreachable":
                    self._away.add(url)
        raise trouble

    def _post(self, url: str, query: str) -> bytes:
        deadline = time.monotonic() + self._settings.timeout
        body = "query={0}&timeout={1:g}s".format(quote(query, safe=""), self._settings.timeout).encode()
        connection = self._connection(url)
        try:
            connection.connect()
        except (OSError, ValueError) as error:
            connection.close()
            raise Unreadable("cannot be reached: {0}".format(error), reason="unreachable") from error
        # From here on nothing waits past the deadline, neither for a header nor for a byte.
        with contextlib.closing(connection.sock) as connected:
            connection.sock = Connection(connected, deadline)
            try:
                connection.request("POST", urlsplit(url).path.rstrip("/") + "/api/v1/query", body, self._headers)
                with connection.getresponse() as response:
                    return self._body(response)
            except socket.timeout as error:
                told = "no whole answer within {0:g} s".format(self._settings.timeout)
                raise Unreadable(told, reason="timeout") from error
            except (OSError, HTTPException, ValueError) as error:
                told = "broke off: {0}".format(str(error)[:200] or type(error).__name__)
                raise Unreadable(told, reason="broken") from error

    def _connection(self, url: str) -> HTTPConnection:
        place = urlsplit(url)
        if place.scheme == "https":
            return HTTPSConnection(
                place.hostname or "", place.port, timeout=self._settings.timeout, context=self._context
            )
        return HTTPConnection(place.hostname or "", place.port, timeout=self._settings.timeout)

    def _body(self, response: HTTPResponse) -> bytes:
        # A redirect is not followed. Prometheus says with 400 and 422 in JSON what is wrong with a query.
        if response.status not in (200, 400, 422):
            raise Unreadable("answers with status {0}".format(response.status), reason="status")
        found = bytearray()
        while piece := response.read1(PIECE):
            found += piece
            if len(found) > self._settings.max_body:
                told = "the answer is longer than {0} bytes".format(self._settings.max_body)
                raise Unreadable(told, reason="too_large")
        if response.length:
            raise Unreadable("the answer ends too early", reason="broken")
        return bytes(found)

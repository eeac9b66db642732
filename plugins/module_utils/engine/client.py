# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talks HTTP to an inference engine, bounded in time and size, and past no proxy."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from ..errors import Unreadable

MAX_BODY = 4 * 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: status code and at most MAX_BODY bytes of body."""

    status: int
    body: str


class Engine:
    """One engine's HTTP interface.

    Args:
        url: scheme, host and port, for example http://127.0.0.1:8000.
        timeout: seconds that one request may take, from connecting to the last byte.
        api_key: sent as a bearer token when given.
    """

    def __init__(self, url: str, timeout: float = 10.0, api_key: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.timeout = timeout
        self._headers = {"Connection": "close"}
        if api_key:
            self._headers["Authorization"] = "Bearer {0}".format(api_key)

    def get(self, path: str) -> Answer:
        """GET a path. Raises Unreadable when no whole answer came in time."""
        return self._send("GET", path, None, self._headers)

    def post(self, path: str, document: dict[str, Any]) -> Answer:
        """POST a JSON document. Raises Unreadable when no whole answer came in time."""
        headers = dict(self._headers, **{"Content-Type": "application/json"})
        return self._send("POST", path, json.dumps(document).encode(), headers)

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        # An engine is a neighbour: no proxy from the environment stands between, and no redirect leads elsewhere.
        deadline = time.monotonic() + self.timeout
        try:
            with contextlib.closing(self._connection()) as connection:
                connection.request(method, urlsplit(self.url).path + path, body, headers)
                with connection.getresponse() as response:
                    return Answer(response.status, self._read(response, deadline))
        except (OSError, HTTPException, ValueError) as error:
            raise Unreadable("{0} did not answer: {1}".format(self.url + path, error)) from error

    def _connection(self) -> HTTPConnection:
        url = urlsplit(self.url)
        connection = HTTPSConnection if url.scheme == "https" else HTTPConnection
        return connection(url.hostname or "", url.port, timeout=self.timeout)

    def _read(self, response: HTTPResponse, deadline: float) -> str:
        chunks: list[bytes] = []
        size = 0
        while True:
            if time.monotonic() >= deadline:
                raise socket.timeout("no end of the answer within {0:g} s".format(self.timeout))
            chunk = response.read1(65536)
            if not chunk:
                return b"".join(chunks).decode("utf-8", "replace")
            size += len(chunk)
            if size > MAX_BODY:
                raise OSError("the answer is longer than {0} bytes".format(MAX_BODY))
            chunks.append(chunk)

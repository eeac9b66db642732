# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talks HTTP to an inference engine, bounded in time and size, and past no proxy."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

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
        self._headers = {"Authorization": "Bearer {0}".format(api_key)} if api_key else {}
        # An engine is a neighbour: a proxy from the environment must never stand between.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str) -> Answer:
        """GET a path. Raises Unreadable when no whole answer came in time."""
        return self._send(urllib.request.Request(self.url + path, headers=self._headers))

    def post(self, path: str, document: dict[str, Any]) -> Answer:
        """POST a JSON document. Raises Unreadable when no whole answer came in time."""
        headers = dict(self._headers, **{"Content-Type": "application/json"})
        return self._send(urllib.request.Request(self.url + path, json.dumps(document).encode(), headers))

    def _send(self, request: urllib.request.Request) -> Answer:
        deadline = time.monotonic() + self.timeout
        try:
            try:
                with self._opener.open(request, timeout=self.timeout) as response:
                    return Answer(response.status, self._read(response, deadline))
            except urllib.error.HTTPError as error:
                with error:
                    return Answer(error.code, self._read(error, deadline))
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise Unreadable("{0} did not answer: {1}".format(request.full_url, reason)) from error

    def _read(self, response: Any, deadline: float) -> str:
        chunks: list[bytes] = []
        size = 0
        while True:
            if time.monotonic() >= deadline:
                raise socket.timeout("no end of the answer within {0:g} s".format(self.timeout))
            chunk = response.read1(65536) if hasattr(response, "read1") else response.read(65536)
            if not chunk:
                return b"".join(chunks).decode("utf-8", "replace")
            size += len(chunk)
            if size > MAX_BODY:
                raise OSError("the answer is longer than {0} bytes".format(MAX_BODY))
            chunks.append(chunk)

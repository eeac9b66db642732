# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page that Prometheus scrapes. It shows what the latest run has left and computes nothing."""

from __future__ import annotations

import io
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .bounded import Bytes

# Who asks has so many seconds to say what for, and as many to take it.
PATIENCE_S = 10.0
MOST_CALLERS = 16


class Page(ThreadingHTTPServer):
    """Serves GET /metrics in threads, so many at once. Raises OSError when the address is not to be had.

    Attributes:
        text: what is shown.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 4 * MOST_CALLERS

    def __init__(self, address: str, port: int) -> None:
        if ":" in address:
            self.address_family = socket.AF_INET6
        self.text = b""
        self._free = threading.BoundedSemaphore(MOST_CALLERS)
        super().__init__((address, port), Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Who comes when all are busy is sent away, and not queued."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:
            self._free.release()
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """In its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers that hang up are none of our business."""


class Handler(BaseHTTPRequestHandler):
    """One request, then the connection ends."""

    server: Page
    timeout = PATIENCE_S

    def setup(self) -> None:
        """Read until the deadline, however slowly it comes."""
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(Bytes(self.connection, time.monotonic() + PATIENCE_S))

    def do_GET(self) -> None:
        """The metrics."""
        text = self.server.text
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404)
        elif not text:
            self.send_error(503, "The first run has not ended")
        else:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.connection.settimeout(PATIENCE_S)
            self.wfile.write(text)

    def version_string(self) -> str:
        """Nobody needs to know which Python this is."""
        return "steadfast"

    def log_message(self, format: str, *args: Any) -> None:
        """A scrape is no news."""

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An exporter that means no good: hostile_exporter.py ADDRESS PORT. /huge, /endless, /garbage, /many say how.

Runs on a host of the lab, so it is one file and needs the standard library only.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LINE = b'hostile_metric{label="' + b"x" * 200 + b'"} 1\n'
HUGE = 500 * 1024 * 1024


class Handler(BaseHTTPRequestHandler):
    """Every answer begins like a good one."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        with contextlib.suppress(OSError):
            getattr(self, self.path.strip("/"))()

    def huge(self) -> None:
        """500 MB of samples."""
        block = LINE * 4096
        for _each in range(HUGE // len(block)):
            self.wfile.write(block)

    def endless(self) -> None:
        """A byte a second."""
        while True:
            self.wfile.write(b"#")
            time.sleep(1)

    def garbage(self) -> None:
        """No metrics."""
        self.wfile.write(os.urandom(65536))

    def many(self) -> None:
        """A hundred thousand series."""
        for number in range(100_000):
            self.wfile.write(b'hostile_metric{number="%d"} 1\n' % number)

    def log_message(self, *_arguments: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom the lab's Alertmanagers tell: alert_receiver.py ADDRESS PORT FILE. Writes a JSON line for each alert.

Runs on a host of the lab, so it is one file and needs the standard library only.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def main(address: str, port: int, path: str) -> None:
    """Listen until the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with open(path, "a", encoding="utf-8") as sink:
                for alert in message["alerts"]:
                    told = {key: alert[key] for key in ("status", "labels", "annotations", "startsAt", "fingerprint")}
                    sink.write(json.dumps({"at": time.time(), "to": self.path, **told}) + "\n")
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    ThreadingHTTPServer((address, port), Handler).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])

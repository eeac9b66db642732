# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs beside the browser, in its container: opens one page and tells what came of it, as JSON on standard output.

Standard library only. It speaks the browser's own protocol (DevTools) over a pipe, messages ended by a zero byte. The
one argument is JSON: url, width, height, scheme, ready, limit_s, headers, whole, evaluate: see tests/lab/browser.py.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from typing import Any

BROWSER = "chromium-headless-shell"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars --no-first-run --disable-extensions "
    "--ignore-certificate-errors --disable-background-networking --remote-debugging-pipe about:blank"
)
LOUD = ("error", "warning", "assert")


class Page:
    """A browser with one page."""

    def __init__(self) -> None:
        heard, self.to = os.pipe()
        self.back, spoken = os.pipe()
        # It expects its pipe at descriptors 3 and 4.
        self.process = subprocess.Popen(
            ["sh", "-c", f"exec {BROWSER} {FLAGS} 3<&{heard} 4>&{spoken}"],
            pass_fds=(heard, spoken),
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        self.buffer, self.number, self.session = b"", 0, ""
        self.errors: list[str] = []
        self.requests: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **arguments: Any) -> dict[str, Any]:
        """One command and its answer. Raises RuntimeError when there is none, or a bad one."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": arguments}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            answer = self.next(1)
            if answer and answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])
        raise RuntimeError(f"{method}: no answer")

    def next(self, seconds: float) -> dict[str, Any] | None:
        """The next message, or None; events are noted as they pass."""
        ends = time.monotonic() + seconds
        while b"\0" not in self.buffer:
            left = ends - time.monotonic()
            if left <= 0 or not select.select([self.back], [], [], left)[0]:
                return None
            piece = os.read(self.back, 1 << 20)
            if not piece:
                raise RuntimeError("the browser has ended")
            self.buffer += piece
        raw, _zero, self.buffer = self.buffer.partition(b"\0")
        message = dict(json.loads(raw))
        self.note(message.get("method", ""), message.get("params", {}))
        return message

    def note(self, event: str, told: dict[str, Any]) -> None:
        """Keep what a developer would see in red or yellow, and which addresses were asked for."""
        if event == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.errors.append(f"exception: {details.get('exception', {}).get('description') or details['text']}")
        elif event == "Runtime.consoleAPICalled" and told["type"] in LOUD:
            words = " ".join(str(each.get("value", each.get("description", ""))) for each in told["args"])
            self.errors.append(f"console: {words}")
        elif event == "Log.entryAdded" and told["entry"]["level"] in LOUD:
            self.errors.append(
                f"{told['entry']['source']}: {told['entry']['text']} {told['entry'].get('url', '')}".strip()
            )
        elif event == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        done = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise RuntimeError(f"{expression}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def open(self, asked: dict[str, Any]) -> bool:
        """Go to the page; whether it was ready in time."""
        size = {"width": asked["width"], "height": asked["height"], "deviceScaleFactor": 1}
        self.ask("Emulation.setDeviceMetricsOverride", mobile=asked["width"] < 600, **size)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": asked["scheme"]}])
        self.ask("Network.setExtraHTTPHeaders", headers=asked["headers"])
        gone = self.ask("Page.navigate", url=asked["url"]).get("errorText")
        if gone:
            raise RuntimeError(f"{asked['url']}: {gone}")
        ends = time.monotonic() + asked["limit_s"]
        while time.monotonic() < ends:
            if self.evaluate(f"document.readyState === 'complete' && Boolean({asked['ready']})"):
                # What the page has just drawn may still complain.
                self.next(0.3)
                return True
            self.next(0.1)
        return False

    def told(self, asked: dict[str, Any], ready: bool) -> dict[str, Any]:
        """Everything about the page as it stands."""
        values = {name: self.evaluate(expression) for name, expression in asked["evaluate"].items()}
        text = self.evaluate("document.body.innerText")
        width = self.evaluate("document.documentElement.scrollWidth")
        whole = min(self.evaluate("document.documentElement.scrollHeight"), 16000)
        height = whole if asked["whole"] else asked["height"]
        clip = {"x": 0, "y": 0, "width": asked["width"], "height": height, "scale": 1}
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return {
            "ready": ready,
            "text": text,
            "scroll_width": width,
            "errors": self.errors,
            "requests": self.requests,
            "values": values,
            "png": shot["data"],
        }


def main(argv: list[str]) -> int:
    """Entry point."""
    asked = json.loads(argv[0])
    page = Page()
    try:
        ready = page.open(asked)
        print(json.dumps(page.told(asked, ready)))
    finally:
        page.process.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

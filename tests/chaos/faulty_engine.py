# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fault before a real engine: `faulty_engine.py FAULT PORT ENGINE ARGUMENTS...` on a model server of the lab.

Starts the engine on PORT + 1000 and passes every request on, except for what FAULT says:
errors=SHARE    that share of completions is answered 500
slow=FACTOR     completions take so many times as long
garbage         completions are answered with something else
hang=COUNT      after so many completions none is answered, while /health says 200 and /metrics goes on
die=SECONDS     so long after the first completion the process ends with status 1
Needs nothing but Python's standard library.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import sys
import time

LIMIT = 16 * 1024 * 1024


class Front:
    """The fault, and what it has seen."""

    def __init__(self, fault: str, port: int) -> None:
        self.kind, _is, value = fault.partition("=")
        self.value = float(value or 0)
        self.port = port
        self.completions = 0
        self.pending = 0
        self.metrics = b""
        self.random = random.Random(7)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"\r\ncontent-length:\s*(\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(length[1])) if length else b""
                if not await self.answer(head, body, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def answer(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection ends with it."""
        completion = b"completions" in head.split(b"\r\n", 1)[0]
        if completion:
            self.completions += 1
            if self.kind == "die" and self.completions == 1:
                asyncio.get_running_loop().call_later(self.value, os._exit, 1)
            if self.kind == "hang" and self.completions > self.value:
                self.pending += 1
                await asyncio.sleep(3600)
            if self.kind == "errors" and self.random.random() < self.value:
                return await self.say(writer, 500, b'{"error": {"message": "on purpose"}}')
            if self.kind == "garbage":
                return await self.say(writer, 200, b'{"object": "something else"}')
        if self.pending and head.startswith(b"GET /metrics"):
            busy = re.sub(rb"(?m)^(llamacpp:requests_processing) .*$", rb"\1 %d" % self.pending, self.metrics)
            return await self.say(writer, 200, busy)
        began = time.monotonic()
        await self.forward(head, body, writer, wait=completion and self.kind == "slow", began=began)
        return False

    async def say(self, writer: asyncio.StreamWriter, status: int, body: bytes) -> bool:
        """An answer of our own."""
        writer.write(b"HTTP/1.1 %d On purpose\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
        await writer.drain()
        return True

    async def forward(self, head: bytes, body: bytes, writer: asyncio.StreamWriter, wait: bool, began: float) -> None:
        """The engine's own answer; a slow one is held back."""
        there, back = await asyncio.open_connection("127.0.0.1", self.port, limit=LIMIT)
        try:
            head = re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head).replace(
                b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"
            )
            back.write(head + body)
            await back.drain()
            first = True
            seen = b""
            while chunk := await there.read(65536):
                if first and wait:
                    await asyncio.sleep((time.monotonic() - began) * (self.value - 1))
                first = False
                seen = (seen + chunk)[-LIMIT:] if head.startswith(b"GET /metrics") else b""
                writer.write(chunk)
                await writer.drain()
            if seen:
                self.metrics = seen.partition(b"\r\n\r\n")[2]
        finally:
            back.close()


async def main(fault: str, port: int, engine: list[str]) -> int:
    """Run until the engine ends, or this process is told to."""
    front = Front(fault, port + 1000)
    child = await asyncio.create_subprocess_exec(*engine, "--port", str(port + 1000), "--host", "127.0.0.1")
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, child.terminate)
    while child.returncode is None:
        try:
            _reader, writer = await asyncio.open_connection("127.0.0.1", port + 1000)
            writer.close()
            break
        except OSError:
            await asyncio.sleep(0.1)
    server = await asyncio.start_server(front.serve, os.environ.get("MODEL_SERVER_BIND", "0.0.0.0"), port, limit=LIMIT)
    async with server:
        return await child.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])))

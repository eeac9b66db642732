# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server on loopback that answers each request as the test says, down to the bytes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

LENGTH = re.compile(rb"(?i)content-length: (\d+)")
ID = re.compile(rb"(?i)x-request-id: (\S+)")


@dataclass
class Request:
    """One request as it came in, and where its answer goes. `connection` counts from 0."""

    id: str
    body: dict[str, Any]
    connection: int
    writer: asyncio.StreamWriter


Answer = Callable[[Request], Awaitable[None]]


@dataclass
class FakeServer:
    """What was seen, and the one function that answers."""

    answer: Answer
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client connection."""
        number, self.connections = self.connections, self.connections + 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length, name = LENGTH.search(head), ID.search(head)
                assert length
                assert name
                body = json.loads(await reader.readexactly(int(length[1])))
                self.requests.append(Request(name[1].decode(), body, number, writer))
                await self.answer(self.requests[-1])
                await writer.drain()
                if writer.is_closing():
                    break
        writer.close()


@contextlib.asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[FakeServer]:
    """A server with its address, while the block lasts."""
    fake = FakeServer(answer)
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield fake
    finally:
        server.close()


def reply(status: int, body: bytes, server: str = "gpu1", length: int | None = None) -> bytes:
    """A whole answer; `length` lies about the body's."""
    head = f"HTTP/1.1 {status} Word\r\nX-Served-By: {server}\r\nContent-Length: {length or len(body)}\r\n\r\n"
    return head.encode() + body


def completion(server: str = "gpu1") -> bytes:
    """A good answer."""
    return reply(200, json.dumps({"choices": [{"text": " hello"}], "model": "tiny"}).encode(), server)


async def ok(request: Request) -> None:
    """Answer every request, and every stream, as an engine does."""
    if request.body.get("stream"):
        await stream(request, request.body["max_tokens"])
    else:
        request.writer.write(completion())


async def stream(request: Request, tokens: int, done: bool = True, per_second: float = 0) -> None:
    """Stream `tokens` tokens, with usage and [DONE] unless the server dies before."""
    request.writer.write(b"HTTP/1.1 200 OK\r\nX-Served-By: gpu2\r\nTransfer-Encoding: chunked\r\n\r\n")
    for number in range(tokens):
        chunk(request, b'data: {"choices":[{"text":"word%d "}]}\n\n' % number)
    if per_second:
        await asyncio.sleep(tokens / per_second)
    if done:
        chunk(request, b'data: {"choices":[],"usage":{"completion_tokens":%d,"prompt_tokens":2}}\n\n' % tokens)
        chunk(request, b"data: [DONE]\n\n")
        request.writer.write(b"0\r\n\r\n")
    else:
        request.writer.close()


def chunk(request: Request, data: bytes) -> None:
    """One chunk of a chunked body."""
    request.writer.write(b"%x\r\n%s\r\n" % (len(data), data))


def reset(request: Request) -> None:
    """Close the connection the rude way, with RST."""
    connection = request.writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.writer.transport.abort()

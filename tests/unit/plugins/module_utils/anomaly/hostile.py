# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server on loopback in Prometheus's place, that answers each query as its name says: well, or badly."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs

Behave = Callable[[socket.socket], None]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def vector(*pairs: tuple[dict[str, str], str]) -> bytes:
    """The body of a good answer."""
    result = [{"metric": labels, "value": [1700000000.0, value]} for labels, value in pairs]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


def says(body: bytes, status: str = "200 OK", *headers: str) -> Behave:
    """An answer that ends."""
    lines = ["HTTP/1.1 " + status, f"Content-Length: {len(body)}", *headers, "", ""]

    def behave(connection: socket.socket) -> None:
        connection.sendall("\r\n".join(lines).encode() + body)

    return behave


def promises(length: int, body: bytes) -> Behave:
    """More is said to come than comes."""
    return lambda connection: connection.sendall(HEAD + f"Content-Length: {length}\r\n\r\n".encode() + body)


def floods(length: int, chunked: bool = False) -> Behave:
    """So many bytes, as long as somebody takes them."""

    def behave(connection: socket.socket) -> None:
        piece = b"[" * 65536
        connection.sendall(
            HEAD + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else f"Content-Length: {length}\r\n\r\n".encode())
        )
        for _each in range(length // len(piece)):
            connection.sendall(b"10000\r\n" + piece + b"\r\n" if chunked else piece)

    return behave


def drips(first: bytes, each: bytes) -> Behave:
    """A little every 50 ms, without end."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(first)
        while True:
            time.sleep(0.05)
            connection.sendall(each)

    return behave


def keeps_silent(connection: socket.socket) -> None:
    """Nothing at all."""
    connection.recv(1)


def hangs_up(_connection: socket.socket) -> None:
    """No answer, and the connection ends."""


@dataclass
class Hostile:
    """The server. `answers` by query; a query that is not there is answered by nothing found.

    Attributes:
        asked: queries, in order.
        headers: of the latest request.
    """

    answers: dict[str, Behave] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: str = ""
    port: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def one(self, connection: socket.socket) -> None:
        """One request."""
        with contextlib.suppress(OSError), contextlib.closing(connection):
            text = b""
            while b"timeout=" not in text:
                piece = connection.recv(65536)
                if not piece:
                    return
                text += piece
            head, _empty, body = text.decode().partition("\r\n\r\n")
            self.headers = head
            query = parse_qs(body)["query"][0]
            self.asked.append(query)
            self.answers.get(query, says(vector()))(connection)


@contextlib.contextmanager
def hostile(**answers: Behave) -> Iterator[Hostile]:
    """The server, while it is needed."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Hostile(answers, port=listening.getsockname()[1])

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _address = listening.accept()
                    threading.Thread(target=server.one, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request, one fate, whatever the server sends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from tests.lab.load_client import BODY_LIMIT, Attempt, Client
from tests.unit.lab.fake_server import FakeServer, Request, chunk, completion, ok, reply, reset, serving, stream

TIMEOUT = 0.4


def attempt_with(answer: Callable[[Request], Awaitable[None]], tokens: int = 0) -> tuple[Attempt, FakeServer]:
    """Send one completion, or one stream of `tokens`, to a server that answers so."""

    async def case() -> tuple[Attempt, FakeServer]:
        async with serving(answer) as fake:
            client = Client(fake.url, "tiny", TIMEOUT, TIMEOUT)
            attempt = Attempt("one")
            if tokens:
                await client.stream(attempt, False, tokens)
            else:
                await client.complete(attempt, False)
            await client.close()
            return attempt, fake

    return asyncio.run(case())


def sending(data: bytes, close: bool = False) -> Callable[[Request], Awaitable[None]]:
    """An answer made of these bytes."""

    async def answer(request: Request) -> None:
        request.writer.write(data)
        if close:
            request.writer.close()

    return answer


async def hang(request: Request) -> None:
    await asyncio.sleep(10)


async def hang_in_the_body(request: Request) -> None:
    request.writer.write(reply(200, b"{", length=100))
    await asyncio.sleep(10)


async def rude(request: Request) -> None:
    reset(request)


async def endless(request: Request) -> None:
    request.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not request.writer.is_closing():
        chunk(request, b"x" * 60_000)
        await request.writer.drain()


async def endless_headers(request: Request) -> None:
    request.writer.write(b"HTTP/1.1 200 OK\r\n")
    while not request.writer.is_closing():
        request.writer.write(b"X-More: %s\r\n" % (b"y" * 1000))
        await request.writer.drain()
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (ok, "ok"),
        (sending(reply(500, b"out of memory")), "http_500"),
        (sending(reply(503, b"")), "http_503"),
        (sending(b"HTTP/1.1 307 Over There\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"), "http_307"),
        (rude, "reset"),
        (sending(b"", close=True), "reset"),
        (sending(reply(200, b'{"choices"', length=100), close=True), "reset"),
        (hang, "timeout"),
        (hang_in_the_body, "timeout"),
        (sending(b"\x00\x16\x03 this is not HTTP\r\n\r\n", close=True), "bad_body"),
        (sending(reply(200, b"")), "bad_body"),
        (sending(reply(200, b"\xff\xfe\x00")), "bad_body"),
        (sending(reply(200, b'{"choices": []}')), "bad_body"),
        (sending(reply(200, b'{"choices": [{"text": 7}]}')), "bad_body"),
        (sending(reply(200, b"[" * 50_000)), "bad_body"),
        (sending(reply(200, b"9" * 50_000)), "bad_body"),
        (sending(reply(200, b" " * BODY_LIMIT + b'{"choices": [{"text": "late"}]}')), "bad_body"),
        (endless, "bad_body"),
        (endless_headers, "bad_body"),
    ],
)
def test_completion_has_the_fate_the_server_gave_it(answer: Callable[[Request], Awaitable[None]], fate: str) -> None:
    attempt, fake = attempt_with(answer)
    assert attempt.fate == fate, attempt
    assert bool(attempt.detail) == (fate not in ("ok", "http_503", "http_307"))
    assert len(fake.requests) == 1, "it was sent again"


async def stream_of_five(request: Request) -> None:
    await stream(request, 5)


async def stream_that_ends_early(request: Request) -> None:
    await stream(request, 5, done=False)


async def stream_that_hangs(request: Request) -> None:
    request.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk(request, b'data: {"choices":[{"text":"a"}]}\n\n')
    await asyncio.sleep(10)


async def stream_with_done_in_its_text(request: Request) -> None:
    request.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk(request, b'data: {"choices":[{"text":"\\ndata: [DONE]\\n"}]}\n\n')
    request.writer.write(b"0\r\n\r\n")


async def stream_reset_after_done(request: Request) -> None:
    request.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk(request, b'data: {"usage":{"completion_tokens":5}}\r\n\r\ndata: [DONE]\r\n\r\n')
    await request.writer.drain()
    await asyncio.sleep(0.1)
    reset(request)


async def stream_in_single_bytes(request: Request) -> None:
    request.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for byte in b'data: {"usage":{"completion_tokens":5}}\n\ndata: [DONE]\n\n':
        chunk(request, bytes([byte]))
        await request.writer.drain()
        await asyncio.sleep(0)
    request.writer.write(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("answer", "tokens", "fate"),
    [
        (stream_of_five, 5, "ok"),
        (stream_in_single_bytes, 5, "ok"),
        (stream_reset_after_done, 5, "ok"),
        (stream_of_five, 6, "cut"),
        (stream_that_ends_early, 5, "cut"),
        (stream_with_done_in_its_text, 1, "cut"),
        (sending(completion()), 5, "cut"),
        (sending(reply(503, b"no server")), 5, "http_503"),
        (stream_that_hangs, 5, "timeout"),
        (hang, 5, "timeout"),
        (rude, 5, "reset"),
        (sending(b"garbage\r\n\r\n", close=True), 5, "bad_body"),
    ],
)
def test_stream_is_ok_only_when_it_is_whole(
    answer: Callable[[Request], Awaitable[None]], tokens: int, fate: str
) -> None:
    attempt, fake = attempt_with(answer, tokens)
    assert attempt.fate == fate, attempt
    assert len(fake.requests) == 1, "it was sent again"


def test_endless_stream_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.lab.load_client.STREAM_LIMIT", 1_000_000)
    attempt, _fake = attempt_with(endless, 5)
    assert attempt.fate == "cut"
    assert "over 1000000 bytes" in attempt.detail


def test_nobody_listens() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))

        async def case() -> Attempt:
            client = Client(f"http://127.0.0.1:{reserved.getsockname()[1]}", "tiny", TIMEOUT, TIMEOUT)
            attempt = Attempt("one")
            await client.complete(attempt, True)
            await client.close()
            return attempt

        assert asyncio.run(case()).fate == "connect_error"


def test_kept_connection_broken_by_the_server_is_not_tried_again() -> None:
    async def answer(request: Request) -> None:
        if len(fakes[0].requests) == 1:
            await ok(request)
        else:
            reset(request)

    fakes: list[FakeServer] = []

    async def case() -> list[str]:
        async with serving(answer) as fake:
            fakes.append(fake)
            client = Client(fake.url, "tiny", TIMEOUT, TIMEOUT)
            attempts = [Attempt("first"), Attempt("second")]
            for attempt in attempts:
                await client.complete(attempt, False)
            await client.close()
            return [attempt.fate for attempt in attempts]

    assert asyncio.run(case()) == ["ok", "reset"]
    assert [request.id for request in fakes[0].requests] == ["first", "second"]
    assert fakes[0].connections == 1


def test_fresh_means_a_connection_each() -> None:
    async def case(fresh: bool) -> int:
        async with serving(ok) as fake:
            client = Client(fake.url, "tiny", TIMEOUT, TIMEOUT)
            for number in range(3):
                await client.complete(Attempt(str(number)), fresh)
            await client.close()
            return fake.connections

    assert asyncio.run(case(True)) == 3
    assert asyncio.run(case(False)) == 1

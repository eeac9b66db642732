# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One completion or one stream, sent once, and what became of it. Nothing a server sends makes this raise."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import aiohttp

from .load_record import OK

SERVED_BY = "X-Served-By"
COMPLETION_TOKENS = 4
BODY_LIMIT = 64 * 1024
STREAM_LIMIT = 16 * 1024 * 1024
# The last events of a stream (usage with timings, then [DONE]) are well under 2 KiB.
TAIL = 4 * 1024
# Quotes and line ends inside a completion's text are escaped, so text that looks like these cannot match.
DONE = re.compile(rb"(?:^|\n)data: ?\[DONE\]\s*$")
TOKENS = re.compile(rb'"completion_tokens"\s*:\s*(\d{1,9})')
# Below the balancer's own keep-alive limit, as a well-kept client: to write on a connection in the moment it is closed
# for idleness is the client's fault.
KEEP_ALIVE_S = 5.0


@dataclass
class Attempt:
    """What is known of one request while it is under way and when it has ended."""

    id: str
    fate: str = ""
    detail: str = ""
    server: str | None = None
    answered: float | None = None
    tokens: int = 0


class Client:
    """Sends completions to one address, on kept connections or on fresh ones. `timeout` and `deadline` in seconds."""

    def __init__(self, url: str, model: str, timeout: float, deadline: float) -> None:
        self._url = f"{url.rstrip('/')}/v1/completions"
        self._model = model
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._deadline = aiohttp.ClientTimeout(total=deadline)
        self._kept = _session(aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S))
        self._fresh = _session(aiohttp.TCPConnector(limit=0, force_close=True))

    async def close(self) -> None:
        """Close all connections."""
        await self._kept.close()
        await self._fresh.close()

    async def complete(self, attempt: Attempt, fresh: bool) -> None:
        """One completion of a few tokens; the fate is written into `attempt`."""
        body = self._body(COMPLETION_TOKENS)
        await _settle(attempt, self._complete(attempt, self._post(attempt, body, fresh, self._timeout)))

    async def stream(self, attempt: Attempt, fresh: bool, max_tokens: int) -> None:
        """One streamed completion; ok only with all its tokens and the final [DONE]. The fate goes into `attempt`."""
        body = {**self._body(max_tokens), "stream": True, "stream_options": {"include_usage": True}}
        await _settle(attempt, self._stream(attempt, self._post(attempt, body, fresh, self._deadline), max_tokens))
        if attempt.answered is not None and attempt.fate in ("reset", "bad_body"):
            attempt.fate = "cut"

    async def _complete(self, attempt: Attempt, post: AbstractAsyncContextManager[aiohttp.ClientResponse]) -> None:
        async with post as response:
            _note(attempt, response)
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > BODY_LIMIT:
                    attempt.fate, attempt.detail = "bad_body", f"over {BODY_LIMIT} bytes"
                    response.close()
                    return
        if response.status != 200:
            attempt.fate, attempt.detail = f"http_{response.status}", body[:200].decode(errors="replace")
        else:
            attempt.detail = "" if _is_completion(body) else body[:200].decode(errors="replace") or "empty"
            attempt.fate = "bad_body" if attempt.detail else OK

    async def _stream(
        self, attempt: Attempt, post: AbstractAsyncContextManager[aiohttp.ClientResponse], wanted: int
    ) -> None:
        tail, size = b"", 0
        try:
            async with post as response:
                _note(attempt, response)
                async for chunk in response.content.iter_any():
                    size += len(chunk)
                    tail = (tail + chunk)[-TAIL:]
                    if size > STREAM_LIMIT:
                        response.close()
                        break
        finally:
            # Even if the connection ended badly: after [DONE] the reader has all there is.
            _judge_stream(attempt, tail, size, wanted)
        if response.status != 200:
            attempt.fate, attempt.detail = f"http_{response.status}", tail[:200].decode(errors="replace")

    def _body(self, max_tokens: int) -> dict[str, Any]:
        return {
            "model": self._model,
            "prompt": "The platform",
            "max_tokens": max_tokens,
            "temperature": 0,
            "ignore_eos": True,
        }

    def _post(
        self, attempt: Attempt, body: dict[str, Any], fresh: bool, timeout: aiohttp.ClientTimeout
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        # aiohttp repeats a request by itself on a broken kept connection, but never a POST, which is not idempotent.
        return (self._fresh if fresh else self._kept).post(
            self._url,
            json=body,
            headers={"X-Request-Id": attempt.id},
            timeout=timeout,
            allow_redirects=False,
        )


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"Accept-Encoding": "identity", "User-Agent": "steadfast-load"},
    )


async def _settle(attempt: Attempt, work: Awaitable[None]) -> None:
    """Run `work` and give the attempt its fate when it ends in an exception; an earlier verdict of ok stands."""
    fate, detail = "", ""
    try:
        await work
    except asyncio.CancelledError:
        fate = "abandoned"
    except aiohttp.ClientConnectorError as error:
        fate, detail = "connect_error", str(error)
    except TimeoutError:
        fate, detail = "timeout", "no answer" if attempt.answered is None else "answer unfinished"
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
        fate, detail = "reset", f"{type(error).__name__}: {error}"
    except Exception as error:  # whatever a server can provoke, it is this request's fate and no other's
        fate, detail = "bad_body", f"{type(error).__name__}: {error}"
    if fate and attempt.fate != OK:
        attempt.fate, attempt.detail = fate, detail


def _note(attempt: Attempt, response: aiohttp.ClientResponse) -> None:
    attempt.answered = asyncio.get_running_loop().time()
    attempt.server = response.headers.get(SERVED_BY, "")[:100] or None


def _judge_stream(attempt: Attempt, tail: bytes, size: int, wanted: int) -> None:
    counts = TOKENS.findall(tail)
    attempt.tokens = int(counts[-1]) if counts else 0
    if size > STREAM_LIMIT:
        attempt.fate, attempt.detail = "bad_body", f"over {STREAM_LIMIT} bytes"
    elif not DONE.search(tail):
        attempt.fate, attempt.detail = "cut", f"no [DONE] after {size} bytes"
    elif attempt.tokens != wanted:
        attempt.fate, attempt.detail = "cut", f"{attempt.tokens} tokens of {wanted}"
    else:
        attempt.fate = OK


def _is_completion(body: bytearray) -> bool:
    try:
        answer = json.loads(body)
        return isinstance(answer["choices"][0]["text"], str)
    except (ValueError, LookupError, TypeError, RecursionError):
        return False

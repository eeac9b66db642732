# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The open loop and the process around it, against a server on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.lab.load import LoadError, LoadRun, arguments, parse
from tests.lab.load_loop import Load, Plan
from tests.unit.lab.fake_server import FakeServer, Request, ok, reply, reset, serving, stream

PLAN = Plan(
    "", "t", rate=200, streams=4, stream_seconds=(0.1, 0.3), token_rate=100, duration=0.5, timeout=0.5, deadline=0.7
)


def run(
    answer: Callable[[Request], Awaitable[None]],
    plan: Plan = PLAN,
    then: Callable[[Load], None] = lambda load: None,
    after: float = 0,
) -> tuple[dict[str, Any], FakeServer]:
    """One load against a server that answers so; `then` is called `after` seconds."""

    async def case() -> tuple[dict[str, Any], FakeServer]:
        async with serving(answer) as fake:
            load = Load(replace(plan, url=fake.url), tell=lambda line: None)
            asyncio.get_running_loop().call_later(after, then, load)
            return await asyncio.wait_for(load.run(), 20), fake

    return asyncio.run(case())


async def hang(request: Request) -> None:
    await asyncio.sleep(30)


def anything(seed: int) -> Callable[[Request], Awaitable[None]]:
    """A server that does something else with every request."""
    dice = random.Random(seed)

    async def answer(request: Request) -> None:
        await asyncio.sleep(dice.random() * 0.02)
        fate = dice.randrange(8)
        if fate == 0:
            request.writer.write(reply(500, b"no"))
        elif fate == 1:
            reset(request)
        elif fate == 2:
            await hang(request)
        elif fate == 3:
            request.writer.write(b"\x00garbage\r\n\r\n")
            request.writer.close()
        elif fate == 4 and "stream" in request.body:
            await stream(request, 3, done=False)
        else:
            await ok(request)

    return answer


def check_counts(result: dict[str, Any], fake: FakeServer) -> None:
    """Every request has exactly one fate, and none was sent that is not counted, or twice."""
    requests, streams = result["requests"], result["streams"]
    assert requests["sent"] == requests["ok"] + requests["failed"] == sum(requests["by_fate"].values())
    assert streams["started"] == streams["ok"] + streams["cut"] == sum(streams["by_fate"].values())
    ids = [request.id for request in fake.requests]
    assert len(ids) == len(set(ids))
    assert len(ids) <= requests["sent"] + streams["started"]


def test_a_good_server_gets_what_was_planned() -> None:
    result, fake = run(ok)
    check_counts(result, fake)
    assert result["requests"]["sent"] == result["requests"]["ok"] == 100
    assert result["streams"]["cut"] == 0 < result["streams"]["ok"]
    assert result["servers"]["gpu1"]["ok"] == 100
    assert len(fake.requests) == 100 + result["streams"]["started"]
    assert {request.body["max_tokens"] for request in fake.requests if "stream" not in request.body} == {4}


@pytest.mark.parametrize("end", ["by itself", "stopped", "abandoned"])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_request_has_one_fate_on_a_server_that_does_anything(seed: int, end: str) -> None:
    then = {"by itself": lambda load: None, "stopped": Load.stop, "abandoned": Load.abandon}[end]
    result, fake = run(anything(seed), then=then, after=0.3)
    check_counts(result, fake)
    assert result["requests"]["failed"] > 0
    assert result["requests"]["ok"] > 0


def test_send_times_do_not_depend_on_the_answers() -> None:
    result, fake = run(hang, replace(PLAN, streams=0))
    check_counts(result, fake)
    assert result["requests"]["by_fate"] == {"timeout": 100}
    # One after another they would wait for fifty seconds; a busy machine may take its time for the half second.
    assert 0.49 <= result["seconds"] < 100 * PLAN.timeout / 4
    assert 0.49 <= result["longest_gap_s"] < 100 * PLAN.timeout / 4


def test_a_late_client_says_so() -> None:
    result, fake = run(ok, replace(PLAN, streams=0), then=lambda load: time.sleep(0.3), after=0.1)
    check_counts(result, fake)
    assert result["requests"]["sent"] == 100
    assert result["requests"]["lag_ms"]["max"] > 200


def test_what_is_abandoned_is_counted() -> None:
    result, fake = run(hang, then=Load.abandon, after=0.1)
    check_counts(result, fake)
    assert set(result["requests"]["by_fate"]) == {"abandoned"}
    assert result["streams"]["started"] == result["streams"]["by_fate"]["abandoned"] > 0


def test_streams_grow_to_their_aim() -> None:
    async def paced(request: Request) -> None:
        await stream(request, request.body["max_tokens"], per_second=1000)

    # Ten times the first guess: the streams that follow must ask for more.
    _result, fake = run(paced, replace(PLAN, rate=1, streams=1, stream_seconds=(0.2,), duration=1.5, deadline=5))
    lengths = [request.body["max_tokens"] for request in fake.requests if "stream" in request.body]
    assert lengths[0] == 20
    assert lengths[-1] > 40


def test_command_line_gives_the_plan_back() -> None:
    plan = replace(PLAN, url="http://127.0.0.1:1", stream_seconds=(1.5, 30.0))
    options = vars(parse(arguments(plan, Path("out.json"))))
    assert options.pop("out") == Path("out.json")
    assert not options.pop("end_with_parent")
    assert Plan(**options) == plan


def with_load_run(tmp_path: Path, use: Callable[[LoadRun], Any]) -> Any:
    """Use a LoadRun while a good server runs in this process."""

    async def case() -> Any:
        async with serving(ok) as fake:
            plan = replace(PLAN, url=fake.url, duration=None, streams=1)

            def blocking() -> Any:
                with LoadRun(plan, tmp_path / "result.json", tmp_path / "log") as load:
                    while not fake.requests:
                        time.sleep(0.05)
                    return use(load)

            return await asyncio.to_thread(blocking)

    return asyncio.run(case())


def test_load_run_returns_the_result(tmp_path: Path) -> None:
    def use(load: LoadRun) -> dict[str, Any]:
        time.sleep(0.3)
        assert load.running()
        return load.stop()

    result = with_load_run(tmp_path, use)
    assert result["requests"]["sent"] == result["requests"]["ok"] > 10
    assert result == json.loads((tmp_path / "result.json").read_text())
    assert "0 failed" in (tmp_path / "log").read_text()


def test_load_run_left_by_an_interrupt_leaves_no_process(tmp_path: Path) -> None:
    runs: list[LoadRun] = []

    def use(load: LoadRun) -> None:
        runs.append(load)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        with_load_run(tmp_path, use)
    assert not runs[0].running()
    assert not (tmp_path / "result.json").exists()


def test_load_run_that_broke_has_no_result(tmp_path: Path) -> None:
    plan = replace(PLAN, url="http://127.0.0.1:1", rate=-1)
    with LoadRun(plan, tmp_path / "result.json", tmp_path / "log") as load:
        while load.running():
            time.sleep(0.05)
        with pytest.raises(LoadError):
            load.stop()


def test_load_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    script = f"""
import pathlib, time
from tests.lab import load, load_loop
plan = load_loop.Plan("http://127.0.0.1:1", "t")
with load.LoadRun(plan, pathlib.Path({str(out)!r}), pathlib.Path({str(log)!r})) as run:
    print(run._process.pid, flush=True)
    time.sleep(30)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        while "load |" not in log.read_text():
            time.sleep(0.05)
        parent.kill()
    give_up = time.monotonic() + 5
    while time.monotonic() < give_up and _alive(child):
        time.sleep(0.05)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_second_signal_gives_up_what_is_open(tmp_path: Path) -> None:
    async def case() -> dict[str, Any]:
        async with serving(hang) as fake:
            plan = replace(PLAN, url=fake.url, duration=None, timeout=30, deadline=30)
            client = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.lab.load", *arguments(plan, tmp_path / "out"), stderr=subprocess.DEVNULL
            )
            while not fake.requests:
                await asyncio.sleep(0.05)
            for _signal in range(2):
                client.send_signal(signal.SIGTERM)
                await asyncio.sleep(0.2)
            assert await asyncio.wait_for(client.wait(), 10) == 0
            result: dict[str, Any] = json.loads((tmp_path / "out").read_text())
            check_counts(result, fake)
            return result

    assert asyncio.run(case())["requests"]["by_fate"].keys() == {"abandoned"}

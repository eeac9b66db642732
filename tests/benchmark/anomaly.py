# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the anomaly detector costs: SERIES series a round, each judged and learned, with models that are full.

A server on this machine answers in Prometheus's place. The detector begins with a state in which every model has been
trained: six of ten series have a season of 288 samples, as a day at five minutes is, two of ten have none, one in six
is compared with its like, and there are limits and features beside them. ROUNDS rounds are measured after two others,
each with SCRAPES scrapes of the metrics; then it is ended, and writes down what it has learned, which is counted by its
share.
Exit 1 when it takes more than LIMIT_CPU of a core at a round a minute, or LIMIT_MIB of memory at any time.
"""

from __future__ import annotations

import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from urllib.request import urlopen

from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly import registry, state
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.answers import Sample
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.settings import Settings, read

from tests.benchmark.table import table
from tests.unit.roles.program import install

SERIES, ROUNDS, INTERVAL, SCRAPES = (
    int(os.environ.get(name, value))
    for name, value in (("SERIES", 10000), ("ROUNDS", 10), ("INTERVAL", 10), ("SCRAPES", 8))
)
LIMIT_CPU, LIMIT_MIB = 0.05, 300
PERIOD, MINUTE = 288, 60.0
# Tenths and hundredths of SERIES; a query has a thousand at most, as one of a platform has.
SHARES = {"seasonal": 0.6, "plain": 0.2, "peers": 0.16, "limit": 0.02, "features": 0.02}
QUERY_SIZE = 1000
# Series that are really trained; the others begin with a copy of what these have learned.
TRAINED = 4


@dataclass
class Answers:
    """What the server answers: by query, the labels that are the same each time. Values are new each time."""

    labels: dict[str, list[str]] = field(default_factory=dict)
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def text(self, query: str) -> bytes:
        """An answer to an instant query."""
        number, kind = int(time.time() // INTERVAL), query.partition("_")[0]
        middle = level(kind, number)
        parts = (
            '{"metric":{' + labels + '},"value":[1,"' + f"{middle * self.chance.gauss(1, 0.02):.6g}" + '"]}'
            for labels in self.labels[query]
        )
        text = '{"status":"success","data":{"resultType":"vector","result":[' + ",".join(parts) + "]}}"
        return text.encode()


def level(kind: str, number: int) -> float:
    """What a kind of series is about at a step."""
    return 100 + 50 * math.sin(2 * math.pi * number / PERIOD) if kind == "seasonal" else 0.5


def server(answers: Answers) -> ThreadingHTTPServer:
    """In Prometheus's place."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            text = answers.text(asked["query"][0])
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody is interested."""

    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    return found


def queries() -> list[dict[str, Any]]:
    """The configuration's queries: each kind's series in as many as it needs."""
    found = []
    for kind, share in SHARES.items():
        for part in range(max(1, round(SERIES * share / QUERY_SIZE))):
            query: dict[str, Any] = {"name": f"{kind}_{part}", "labels": ["instance", "pool"], "kind": kind}
            if kind == "features":
                each = [{"name": f"f{place}", "query": f"features_{part}"} for place in range(4)]
                query["features"] = each
            else:
                query["query"] = query["name"]
            if kind in ("seasonal", "plain"):
                query["kind"] = "series"
            if kind == "seasonal":
                query["period_seconds"] = PERIOD * INTERVAL
            if kind == "peers":
                query["group_by"] = ["pool"]
            if kind == "limit":
                # Trends are drawn every five minutes, which is every fifth round.
                query.update(limit=1, step_seconds=5 * INTERVAL)
            found.append(query)
    return found


def configure(folder: Path, port: int, answers: Answers) -> Settings:
    """Write the configuration; fill in what the server knows."""
    entries = queries()
    sizes = {kind: round(SERIES * share) for kind, share in SHARES.items()}
    for kind, size in sizes.items():
        names = [entry["name"] for entry in entries if entry["name"].startswith(kind)]
        for number in range(size):
            labels = f'"instance":"host{number:05}","pool":"pool{number // 40}"'
            answers.labels.setdefault(names[number % len(names)], []).append(labels)
    content = {
        "urls": [f"http://127.0.0.1:{port}"],
        "listen_port": 0,
        "interval_seconds": INTERVAL,
        "step_seconds": INTERVAL,
        "max_series": SERIES,
        "max_detailed_series": SERIES,
        "state_file": str(folder / "state"),
        "queries": entries,
    }
    (folder / "anomaly.json").write_text(json.dumps(content))
    return read(json.dumps(content))


def trained(settings: Settings, answers: Answers) -> Iterator[list[Any]]:
    """The state's records."""
    now = time.time()
    for query in settings.queries:
        kind = query.name.partition("_")[0]
        models = list(learned(settings, query, kind, now))
        for number, labels in enumerate(answers.labels[query.name]):
            key = list(json.loads("{" + labels + "}").values())
            yield [query.name, query.kind, key, None, models[number % len(models)]]


def learned(settings: Settings, query: Any, kind: str, now: float) -> Iterator[Any]:
    """What some series of a query have learned, of four seasons or as many samples."""
    chance = random.Random(2)
    mine = registry.Registry(settings, random.Random(3).random, lambda labels: "")
    first = int(now // query.step) - 4 * PERIOD
    for number in range(first, first + 4 * PERIOD):
        names = [{"instance": str(each), "pool": "p"} for each in range(TRAINED)]
        samples = [Sample(labels, level(kind, number) * chance.gauss(1, 0.02)) for labels in names]
        if query.kind == "features":
            mine.take_features(query, [samples] * len(query.features), number * query.step, True)
        else:
            mine.take(query, samples, number * query.step, True)
    yield from (known.model.dump() for known in mine.series[query.name].values())


def spent(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


def peak(pid: int, before: float = 0.0) -> float:
    """Most memory that a process has used until now, in MiB; what was `before` where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return before
    return max([before, *(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))])


def scrape(address: str) -> tuple[float, dict[str, float], int]:
    """When the latest run ended, how many series stand for what, and how long the page is."""
    with urlopen(f"http://{address}/metrics", timeout=30) as answer:
        page = answer.read()
    lines = [line for line in page.decode().splitlines() if not line.startswith("#")]
    value = {name: float(rest) for name, _space, rest in (line.rpartition(" ") for line in lines) if "{" not in name}
    ready = sum(line.startswith("steadfast_anomaly_model_ready{") and line.endswith(" 1") for line in lines)
    known = value["steadfast_anomaly_series"]
    return value["steadfast_anomaly_last_run_timestamp_seconds"], {"series": known, "ready": ready}, len(page)


def rounds(address: str, count: int) -> tuple[dict[str, float], int]:
    """Wait for so many runs, and scrape as two Prometheus do."""
    latest, seen, size = scrape(address)
    for _each in range(count):
        before = latest
        while latest == before:
            time.sleep(INTERVAL / SCRAPES)
            latest, seen, size = scrape(address)
    return seen, size


def measure(folder: Path, program: Path) -> dict[str, Any]:
    """Run the detector; what it took."""
    argv = [sys.executable, str(program), str(folder / "anomaly.json")]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        lines = iter(process.stdout or ())
        address = next(lines).split()[-1]
        print(next(lines).strip(), flush=True)
        while True:
            try:
                rounds(address, 2)
                break
            except OSError:  # it says 503 until the first run has ended
                time.sleep(1)
        began = spent(process.pid)
        seen, size = rounds(address, ROUNDS)
        each = (spent(process.pid) - began) / ROUNDS
        before = spent(process.pid)
        memory = peak(process.pid)
        process.terminate()
        while process.poll() is None:
            memory = peak(process.pid, memory)
            time.sleep(0.02)
    finally:
        process.kill()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "series": int(seen["series"]),
        "ready": int(seen["ready"]),
        "round_cpu_s": round(each, 2),
        "save_cpu_s": round(used.ru_utime + used.ru_stime - before, 2),
        "peak_rss_mib": round(memory),
        "state_mib": round((folder / "state").stat().st_size / 2**20),
        "page_mib": round(size / 2**20, 1),
    }


def main() -> int:
    """Exit status: 0 within the limits, 1 above them or when nothing was measured."""
    with tempfile.TemporaryDirectory(prefix="steadfast-bench-") as place:
        folder, answers = Path(place), Answers()
        listening = server(answers)
        settings = configure(folder, listening.server_address[1], answers)
        state.save(settings.state_file, {"saved": time.time()}, trained(settings, answers))
        found = measure(folder, install("monitoring/files/anomaly.py", folder))
        listening.shutdown()
        share = (found["round_cpu_s"] + found["save_cpu_s"] * MINUTE / settings.save_every) / MINUTE
    print(table([{**found, "core_percent": round(100 * share, 2)}]))
    print(f"{SERIES} series a minute: {share:.1%} of a core (limit {LIMIT_CPU:.0%}), memory limit {LIMIT_MIB} MiB")
    if found["series"] < 0.99 * SERIES or found["ready"] < 0.9 * SERIES:
        print("Too few series were judged: nothing was measured", file=sys.stderr)
        return 1
    return 0 if share <= LIMIT_CPU and found["peak_rss_mib"] <= LIMIT_MIB else 1


if __name__ == "__main__":
    sys.exit(main())

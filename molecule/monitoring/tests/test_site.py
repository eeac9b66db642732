# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status site in a real browser: every board, on desk and phone, shows what Prometheus knows, and only that."""

from __future__ import annotations

import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.steadfast.ai_platform.plugins.module_utils import panels
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils import report

from tests.lab.browser import Browser, Seen, browser
from tests.lab.containers import Lab
from tests.lab.pair import eventually
from tests.unit.plugins.plugin_utils.rollout_story import STORY

from .conftest import Monitor

ROOT = Path(__file__).parents[3]
SPEC = yaml.safe_load((ROOT / "roles/monitoring/files/panels.yml").read_text(encoding="utf-8"))
BOARDS = {board["name"]: board for board in SPEC["boards"]}
SHOTS = ROOT / "build" / "screenshots"
PORT = 8090
DESK, PHONE = 1280, 360
RANGE = 900
# All boards in all four looks only with make chaos; else two looks, in turn.
WHOLE = os.environ.get("STEADFAST_CHAOS") == "whole"
LOOKS = [(DESK, "dark"), (PHONE, "light"), *([(DESK, "light"), (PHONE, "dark")] if WHOLE else [])]
BOARD_LOOKS = [
    (board, *look) for turn, board in enumerate(BOARDS) for look in (LOOKS if WHOLE else [LOOKS[turn % len(LOOKS)]])
]
OVER_TIME = ("timeseries", "timeline")
# Boards that wait for what the lab may not have: a rollout, GPUs, a store, a detector that has seen enough.
MAY_BE_EMPTY = ("rollouts", "gpu", "store", "anomalies")

DRAWN = "document.body.dataset.state === 'drawn'"
# Of each panel: name, state, what can be read in it, and how many points of its canvas are not empty.
PANELS = """[...document.querySelectorAll('.panel')].map((panel) => {
  const canvas = panel.querySelector('canvas');
  const pixels = canvas ? canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data : [];
  const values = [...panel.querySelectorAll('.value b, .legend .number')].map((each) => each.textContent);
  return {title: panel.getAttribute('aria-label'), state: panel.dataset.state, text: panel.innerText, values,
          ink: pixels.filter((value, place) => place % 4 === 3 && value > 0).length};
})"""
GREEN = "document.querySelectorAll('.sign.good, .fill.good, .verdict.good').length"


@pytest.fixture(scope="module")
def window(lab: Lab) -> Iterator[Browser]:
    """A browser on the lab's network."""
    with browser(lab) as found:
        yield found


def site(monitor: Monitor, path: str = "") -> str:
    """An address of a monitoring server's site."""
    return f"http://{monitor.address}:{PORT}/{path}"


def look(window: Browser, monitor: Monitor, board: str = "overview", **more: Any) -> Seen:
    """A board, when all of it was asked for."""
    choice = more.pop("choice", "range=15m")
    seen = window.look(site(monitor, f"#/{board}?{choice}"), ready=DRAWN, **more)
    assert seen.ready, seen.text
    return seen


def known(monitor: Monitor, panel: dict[str, Any]) -> bool:
    """Whether Prometheus has anything for a panel, or for what proves that there is nothing to tell."""
    # As the page asks: the lab's interval is 5 s.
    now = time.time() // 5 * 5
    everything = {variable["name"]: panels.EVERYTHING for variable in SPEC["variables"]}
    for expression in panels.expressions({"boards": [{"panels": [panel]}]}, window="60s", **everything):
        if panel["kind"] in OVER_TIME:
            asked = {"start": f"{now - RANGE}", "end": f"{now}", "step": "5"}
            found = monitor.get("/api/v1/query_range", query=expression, **asked)["result"]
        else:
            found = monitor.query(expression)
        if found:
            return True
    return False


def unlike(seen: Seen, monitor: Monitor, board: str) -> list[dict[str, Any]]:
    """Panels that show something where Prometheus has nothing, or nothing where it has something."""
    states = {panel["title"]: "data" if known(monitor, panel) else "empty" for panel in BOARDS[board]["panels"]}
    return [panel for panel in seen.values["panels"] if panel["state"] != states[panel["title"]]]


@pytest.mark.parametrize(("board", "width", "scheme"), BOARD_LOOKS)
def test_a_board_shows_what_is_known(
    window: Browser, monitors: list[Monitor], board: str, width: int, scheme: str
) -> None:
    # A desk looks at one of the pair, a phone at the other: two versions of nginx and of Prometheus.
    monitor = monitors[0 if width == DESK else 1]
    for _try in range(3):
        seen = look(window, monitor, board, width=width, scheme=scheme, evaluate={"panels": PANELS})
        # Something may have come or gone between the page's question and ours.
        if not unlike(seen, monitor, board):
            break
    SHOTS.mkdir(parents=True, exist_ok=True)
    (SHOTS / f"{board}-{width}-{scheme}.png").write_bytes(seen.png)
    assert seen.errors == []
    assert seen.scroll_width <= width, "it scrolls sideways"
    assert [url for url in seen.requests if not url.startswith(site(monitor))] == []
    found = {panel["title"]: panel for panel in seen.values["panels"]}
    assert [*found] == [panel["title"] for panel in BOARDS[board]["panels"]]
    assert unlike(seen, monitor, board) == []
    for panel in BOARDS[board]["panels"]:
        shown = found[panel["title"]]
        if shown["state"] == "empty":
            assert "No data." in shown["text"]
        elif panel["kind"] == "timeseries" and "last value" in shown["text"]:
            assert shown["ink"] > 0
            assert shown["values"]
        else:
            assert shown["values"] or panel["empty"]["says"] in shown["text"]
    with_data = sum(panel["state"] == "data" for panel in found.values())
    assert board in MAY_BE_EMPTY or with_data >= len(found) * 2 / 3, f"{with_data} of {len(found)} panels have data"


def test_what_the_browser_complains_about_is_caught(window: Browser, monitor: Monitor) -> None:
    """Or the absence of errors would prove nothing."""
    thrown = window.look("data:text/html,<script>throw new Error('thrown')</script>")
    assert [error for error in thrown.errors if "thrown" in error]
    inline = "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.run = 1'}))"
    outside = "fetch('http://192.0.2.1/').then(() => 'let through', () => 'refused')"
    seen = look(window, monitor, evaluate={"inline": inline, "outside": outside, "run": "window.run === 1"})
    assert seen.values["run"] is False
    assert seen.values["outside"] == "refused"
    assert len([error for error in seen.errors if "Content Security Policy" in error]) >= 2


def test_a_link_says_what_is_shown(window: Browser, monitor: Monitor) -> None:
    values = "[...document.querySelectorAll('select')].map((each) => each.value)"
    current = "document.querySelector('nav [aria-current]').textContent"
    evaluate = {"values": values, "current": current, "panels": PANELS}
    seen = look(window, monitor, "pool", choice="pool=standby&range=6h", evaluate=evaluate)
    assert seen.values["values"] == ["6h", "standby", ""]
    assert seen.values["current"] == BOARDS["pool"]["title"]
    servers = next(panel for panel in seen.values["panels"] if panel["title"] == "Servers over time")
    assert "spare1" in servers["text"]
    assert "gpu1" not in servers["text"]
    # A value is no expression.
    odd = look(window, monitor, "pool", choice='pool=.*"}) or vector(1) #', evaluate={"panels": PANELS})
    servers = next(panel for panel in odd.values["panels"] if panel["title"] == "Servers over time")
    assert (servers["state"], odd.errors) == ("empty", [])


def test_labels_are_text(lab: Lab, window: Browser, monitor: Monitor) -> None:
    hostile = "<img src=x onerror=window.run=1>"
    folder = "/var/lib/steadfast/metrics"
    sample = f'steadfast_anomaly_score{{query="{hostile}",series="{{{{query}}}}"}} 99'
    lab.exec("witness1", ["sh", "-c", f"cat > {folder}/hostile.prom <<'END'\n{sample}\nEND"])
    try:
        eventually(lambda: bool(monitor.query('steadfast_anomaly_score{query=~"<img.*"}')), "it is scraped", 60)
        evaluate = {"images": "document.images.length", "run": "window.run === 1"}
        seen = look(window, monitor, "anomalies", evaluate=evaluate)
        assert hostile in seen.text
        assert seen.values == {"images": 0, "run": False}
        assert seen.errors == []
    finally:
        lab.exec("witness1", ["rm", f"{folder}/hostile.prom"])


FORMATS = {
    "f.text(0.9996, 'percent')": "99.96 %",
    "f.text(0.999999, 'percent')": "99.999 %",
    "f.text(1, 'percent')": "100 %",
    "f.text(0.0000001, 'percent')": "<0.001 %",
    "f.text(0.0123, 's')": "12.3 ms",
    "f.text(93784, 's')": "1 d 2 h",
    "f.text(NaN, 'count')": "\u2013",
    "f.text(1536, 'B')": "1.5 KiB",
    "f.text(3 * 2 ** 20, 'B/s')": "3 MiB/s",
    "f.text(12345, 'req/s')": "12.3 k req/s",
    "f.text(0, 'tok/s')": "0 tok/s",
    "f.ago(42)": "42 s ago",
    "f.ago(4000)": "1 h 6 min ago",
    "f.tone(NaN, {thresholds: {warn: 1, bad: 2}})": "none",
    "f.tone(1, {thresholds: {warn: 1, bad: 2}})": "warn",
    "f.tone(0.4, {thresholds: {warn: 0.9, bad: 0.5}})": "bad",
    "f.tone(7, {states: [[0, 'bad', 'a'], [1, 'good', 'b'], [2, 'bad', 'c']]})": "bad",
    "f.named('{{a}} {{b}}', {a: '{{b}}', b: 'x'})": "{{b}} x",
    "d.filled('a{b=~\"$p\"}[$window]', {p: 'x.\"'}, 60)": 'a{b=~"x\\\\.\\""}[60s]',
    "JSON.stringify(d.span(900, 15, 1000007))": '{"start":999105,"end":1000005,"step":15,"window":60}',
}


def test_numbers_are_what_people_read(window: Browser, monitor: Monitor) -> None:
    load = "Promise.all([import('/format.js'), import('/data.js')]).then(([f, d]) => ({}))"
    evaluate = {case: load.replace("({})", case) for case in FORMATS}
    assert look(window, monitor, evaluate=evaluate).values == FORMATS


STALE = """(() => {
  window.fetch = () => Promise.reject(new TypeError('cut'));
  [...document.querySelectorAll('button')].find((each) => each.textContent === 'Refresh').click();
  return new Promise((done) => setTimeout(done, 2000));
})()"""


def test_an_old_picture_says_that_it_is_old(window: Browser, monitor: Monitor) -> None:
    evaluate = {"cut": STALE, "panels": PANELS, "verdict": "document.querySelector('#verdict').className"}
    seen = look(window, monitor, evaluate=evaluate)
    shown = seen.values["panels"]
    assert {panel["state"] for panel in shown} == {"stale"}
    assert all("since then: this host does not answer" in panel["text"] for panel in shown)
    assert seen.values["verdict"] == "verdict none"


def stopped(lab: Lab, *names: str) -> None:
    for name in names:
        lab.exec(name, ["systemctl", "stop", "prometheus"])


def started(lab: Lab, *names: str) -> None:
    for name in names:
        lab.exec(name, ["systemctl", "start", "prometheus"])


def test_the_other_server_answers_when_one_does_not(lab: Lab, window: Browser, monitors: list[Monitor]) -> None:
    stopped(lab, monitors[0].name)
    try:
        seen = look(window, monitors[0], evaluate={"panels": PANELS})
    finally:
        started(lab, monitors[0].name)
    states = [panel["state"] for panel in seen.values["panels"]]
    assert "error" not in states
    assert states.count("data") >= len(states) * 2 / 3
    assert "Not known" not in seen.text


def test_what_is_not_known_is_not_green(lab: Lab, window: Browser, monitors: list[Monitor]) -> None:
    names = [monitor.name for monitor in monitors]
    stopped(lab, *names)
    try:
        seen = look(window, monitors[0], evaluate={"panels": PANELS, "green": GREEN})
    finally:
        started(lab, *names)
    assert {panel["state"] for panel in seen.values["panels"]} == {"error"}
    assert seen.values["green"] == 0
    assert "Not known: no Prometheus server answers" in seen.text


def answer(url: str, method: str = "GET") -> tuple[int, Any]:
    """Status and headers."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=20) as found:
            return found.status, found.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "", 200),
        ("GET", "boards.json", 200),
        ("GET", "healthz", 200),
        ("GET", "api/v1/query?query=up", 200),
        ("HEAD", "", 200),
        ("POST", "api/v1/query?query=up", 405),
        ("PUT", "boards.json", 405),
        ("DELETE", "api/v1/series?match[]=up", 405),
        ("GET", "api/v1/admin/tsdb/snapshot", 403),
        ("GET", "api/v1/status/config", 403),
        ("GET", "api/v1/query/../status/flags", 403),
        ("GET", "api/v2/alerts", 403),
        ("GET", "metrics", 404),
        ("GET", "-/reload", 404),
        ("GET", "..%2f..%2fetc/passwd", 400),
    ],
)
def test_only_what_reads_is_answered(monitor: Monitor, method: str, path: str, status: int) -> None:
    code, headers = answer(site(monitor, path), method)
    assert code == status
    if status != 400:
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Access-Control-Allow-Origin"] is None
        assert not re.search(r"\d", headers["Server"] or ""), "it tells its version"


def test_who_asks_too_much_is_told_so(monitor: Monitor) -> None:
    codes = [answer(site(monitor, "api/v1/query?query=vector(1)"))[0] for _n in range(400)]
    assert set(codes) == {200, 429}
    assert codes.index(429) >= 100, "a reader with a few boards is not stopped"
    eventually(lambda: answer(site(monitor, "api/v1/query?query=vector(1)"))[0] == 200, "it forgives", 30)
    # The next case begins with nothing owed.
    time.sleep(8)


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_the_report_of_a_rollout_opens_likewise(window: Browser, width: int, scheme: str) -> None:
    page = "/tmp/report.html"
    write = f"open({page!r}, 'w', encoding='utf-8').write({report.html(STORY)!r})"
    code, out = window.container.exec_run(["python3", "-c", write])
    assert code == 0, out
    seen = window.look(f"file://{page}", width=width, scheme=scheme)
    SHOTS.mkdir(parents=True, exist_ok=True)
    (SHOTS / f"report-{width}-{scheme}.png").write_bytes(seen.png)
    assert seen.errors == []
    assert seen.requests == [f"file://{page}"], "it stands alone"
    assert seen.scroll_width <= width
    assert "9 of 300 failed" in seen.text

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report: what it sums up, and that it stands alone and holds no one's script."""

from __future__ import annotations

import json
import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils import report
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.plugins.plugin_utils.rollout_story import CLOSED, GARBAGE, OPENED, STORY, VALUES, event, phase, traffic

VOID = {"meta", "br", "line", "rect", "polyline", "path"}


class Page(HTMLParser):
    """Checks that what is opened is closed; keeps tags, attributes and text."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: dict[str, list[str]] = {}
        self.text = ""
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def alone(content: str) -> Page:
    """Parse a page and check that it fetches nothing and runs nothing."""
    page = Page(content)
    assert page.open == []
    assert page.tags <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "table", "tr", "th", "td", "br", "pre",
        "section", "svg", "line", "rect", "polyline", "path", "text", "ul", "li",
    }  # fmt: skip
    assert not {"href", "src", "xlink:href", "style"} & set(page.attributes)
    assert not [name for name in page.attributes if name.startswith("on")]
    assert not [word for word in ("url(", "@import", "expression(") if word in content.partition("</style>")[0]]
    return page


def test_summary() -> None:
    told = report.summary(STORY)
    assert {
        key: told[key] for key in ("run", "pool", "release", "mode", "outcome", "reason", "began", "duration_s")
    } == {
        "run": "r1",
        "pool": "serving",
        "release": "r-new",
        "mode": "start",
        "outcome": "reverted",
        "reason": "errors: 9 of 300 failed",
        "began": 100.0,
        "duration_s": 70.0,
    }
    assert told["nodes"] == {
        "gpu1": [
            {"phase": name, "batch": 1, "from_s": begin, "to_s": end}
            for name, begin, end in [
                ("draining", 1.0, 10.0),
                ("changing", 10.0, 28.0),
                ("admitting", 28.0, 30.0),
                ("baking", 30.0, 61.0),
                ("reverting", 61.0, 69.0),
                ("reverted", 69.0, 70.0),
            ]
        ]
    }
    first, second = told["batches"]
    assert (first["nodes"], first["phase"]) == (["gpu1"], "reverted")
    assert [(verdict["gate"], verdict["verdict"]) for verdict in first["verdicts"]] == [
        ("errors", "fail"),
        ("latency", "pass"),
    ]
    assert (second["nodes"], second["phase"], second["verdicts"]) == (["gpu2", "gpu3"], "pending", [])
    assert told["traffic"]["gpu1"] == {"requests": 30.0, "errors": 3.0, "response_ms": 21.0, "release": "r-new"}


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        ([], "unfinished"),
        ([OPENED], "unfinished"),
        ([OPENED, CLOSED], "reverted"),
        ([OPENED, CLOSED, {**OPENED, "mode": "resume"}], "unfinished"),
        ([OPENED, CLOSED, {**OPENED, "run": "r2"}], "unfinished"),
    ],
)
def test_outcome_is_that_of_the_last_opening(events: list[dict[str, Any]], outcome: str) -> None:
    assert report.summary(events)["outcome"] == outcome


def test_a_clock_that_is_set_back_makes_no_negative_time() -> None:
    told = report.summary([OPENED, phase("draining", 150.0, ["gpu1"]), phase("changing", 20.0, ["gpu1"]), CLOSED])
    assert all(row["to_s"] >= row["from_s"] for row in told["nodes"]["gpu1"])


@pytest.mark.parametrize(
    ("events", "points"),
    [
        ([traffic(10.0, 0), traffic(12.0, 30)], [None, (2.0, 15.0)]),
        ([traffic(10.0, 50), traffic(11.0, 3), traffic(12.0, 5)], [None, None, (2.0, 2.0)]),
        ([traffic(10.0, 0), traffic(500.0, 900)], [None, None]),
        ([traffic(10.0, 0), traffic(10.0, 5)], [None, None]),
        ([event("traffic", 1.0, servers={"gpu1": {"requests": "many", "errors": 0}})], None),
    ],
)
def test_rates_come_from_differences(events: list[dict[str, Any]], points: Any) -> None:
    requests, _errors = report.rates(events)
    assert requests.get("gpu1") == points


def test_responses_of_new_and_peers() -> None:
    servers = {
        name: {"requests": 1, "errors": 0, "response_ms": took, "release": release}
        for name, took, release in [("a", 10, "new"), ("b", 20, "old"), ("c", 40, "old"), ("d", None, "old")]
    }
    assert report.responses([event("traffic", 5.0, servers=servers)], "new") == {
        "new release": [(0.0, 10.0)],
        "peers": [(0.0, 30.0)],
    }


def test_page_stands_alone_and_says_it_all() -> None:
    content = report.html(STORY)
    assert "http://" not in content
    assert "https://" not in content
    page = alone(content)
    for word in (
        "reverted",
        "errors: 9 of 300 failed",
        "gpu1",
        "baking",
        "9 of 300 failed",
        "percent: 3",
        "1. gpu1",
        "r-old",
    ):
        assert word in page.text
    # The limit comes from the policy: 3 % of errors against 1 %, 20 ms against twice the peers' 18.
    assert "3 %, limit 1 %" in page.text
    assert "20 ms, limit 36 ms" in page.text


def test_everything_is_escaped() -> None:
    evil = "<script>alert(1)</script>\"'&\x1b"
    content = report.html(
        [
            {**OPENED, "release": evil, "plan": evil, "batches": [[evil]], "policy": {evil: evil}, "pool": evil},
            phase("baking", 101.0, [evil], detail=evil),
            event(
                "verdicts",
                batch=1,
                verdicts=[{"gate": evil, "verdict": evil, "reason": evil, "evidence": {evil: evil}}],
            ),
            event("traffic", servers={evil: {"requests": 1, "errors": 1, "release": evil}}),
            event("run_closed", outcome=evil, reason=evil),
        ]
    )
    alone(content)
    assert "<script" not in content
    assert "\x1b" not in content


@settings(max_examples=60)
@given(st.lists(GARBAGE | VALUES | st.sampled_from(STORY), max_size=10))
def test_garbage_makes_a_page_too(events: list[Any]) -> None:
    alone(report.html(events))
    json.dumps(report.summary(events), allow_nan=False)


def test_write(tmp_path: Path) -> None:
    source, folder = tmp_path / "events.jsonl", tmp_path / "deep" / "report"
    lines = [json.dumps(each).encode() for each in STORY]
    source.write_bytes(b"\n".join([b"\xff garbage", *lines[:-1], b'{"torn', lines[-1]]))
    paths = report.write(str(source), str(folder))
    assert paths == {"html": str(folder / "report.html"), "json": str(folder / "report.json")}
    assert json.loads((folder / "report.json").read_text())["outcome"] == "reverted"
    alone((folder / "report.html").read_text())
    assert stat.S_IMODE((folder / "report.html").stat().st_mode) == 0o640
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.json"]


def test_write_without_events_says_that_there_are_none(tmp_path: Path) -> None:
    paths = report.write(str(tmp_path / "none"), str(tmp_path))
    assert json.loads(Path(paths["json"]).read_text())["events"] == 0

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The specification of every picture: the shipped one is sound, and a wrong one is refused with its place."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.steadfast.ai_platform.plugins.module_utils import panels
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused

SHIPPED = yaml.safe_load((Path(__file__).parents[4] / "roles/monitoring/files/panels.yml").read_text(encoding="utf-8"))
SMALL = {
    "needs": {"gpu": {"about": "an exporter", "metrics": "DCGM_.+"}},
    "variables": [{"name": "pool", "title": "Pool", "series": 'up{job="engine"}', "label": "pool"}],
    "markers": {
        "title": "Rollouts",
        "labels": ["pool"],
        "run": "run",
        "outcome": "outcome",
        "began": "began{pool=~'$pool'}",
        "ended": "ended",
    },
    "boards": [
        {
            "name": "one",
            "title": "One",
            "about": "About it.",
            "panels": [
                {
                    "title": "Rate",
                    "kind": "timeseries",
                    "unit": "req/s",
                    "width": 6,
                    "help": "How many.",
                    "queries": [
                        {"expr": 'sum by (pool) (rate(a_total{pool=~"$pool"}[$window]))', "legend": "{{pool}}"}
                    ],
                },
                {
                    "title": "Heat",
                    "kind": "stat",
                    "unit": "C",
                    "width": 6,
                    "help": "How hot.",
                    "without": "gpu",
                    "queries": [{"expr": "max(DCGM_TEMP)", "legend": ""}],
                    "thresholds": {"warn": 80, "bad": 90},
                    "empty": {"says": "None.", "proof": "count(b)"},
                },
            ],
        }
    ],
}


def changed(*path, to):
    """The small specification with one thing changed; `to` None takes it away."""
    spec = copy.deepcopy(SMALL)
    place = spec
    for key in path[:-1]:
        place = place[key]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return spec


def test_the_shipped_specification_is_sound():
    assert panels.checked(SHIPPED) == SHIPPED
    assert panels.checked(SMALL) == SMALL


FIRST = ("boards", 0, "panels", 0)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ([], "the specification is [], but must be a dictionary"),
        ({}, "the specification: boards is missing"),
        (changed("boards", to=[]), "has no board"),
        (changed("extra", to={}), "the specification: unknown key extra"),
        (changed("needs", "gpu", "about", to=None), "need gpu: about is missing"),
        (changed("variables", 0, "series", to=3), "variable pool: series is 3, which is of the wrong type"),
        (changed("markers", "ended", to=None), "markers: ended is missing"),
        (changed("boards", 0, "name", to="Not One"), "board Not One: name is not made of"),
        (changed("boards", to=[SMALL["boards"][0]] * 2), "board one is there twice"),
        (changed("boards", 0, "panels", to=[]), "board one: has no panel"),
        (changed("boards", 0, "panels", to=["text"]), "board one, panel '?' is 'text', but must be a dictionary"),
        (changed(*FIRST, "title", to="Heat"), "board one: 'Heat' is there twice"),
        (changed(*FIRST, "kind", to="pie"), "board one, panel 'Rate': kind is 'pie', but must be one of stat"),
        (changed(*FIRST, "unit", to="miles"), "board one, panel 'Rate': unit is 'miles'"),
        (changed(*FIRST, "width", to=13), "board one, panel 'Rate': width is 13, but must be 1 to 12"),
        (changed(*FIRST, "width", to=True), "width is True, which is of the wrong type"),
        (changed(*FIRST, "help", to=None), "board one, panel 'Rate': help is missing"),
        (changed(*FIRST, "without", to="tpu"), "without is 'tpu', but must be one of gpu"),
        (changed(*FIRST, "colour", to="red"), "board one, panel 'Rate': unknown key colour"),
        (changed(*FIRST, "kind", to="timeline"), "board one, panel 'Rate': a timeline needs states"),
        (changed(*FIRST, "kind", to="table"), "board one, panel 'Rate': a table needs columns"),
        (changed(*FIRST, "states", to=[[1, "nice", "up"]]), "state [1, 'nice', 'up'] is not"),
        (changed(*FIRST, "thresholds", to={"warn": 1}), "board one, panel 'Rate', thresholds: bad is missing"),
        (changed(*FIRST, "empty", to={"says": "x"}), "board one, panel 'Rate', empty: proof is missing"),
        (changed(*FIRST, "queries", to=[]), "board one, panel 'Rate': has no query"),
        (changed(*FIRST, "queries", 0, "legend", to=None), "board one, panel 'Rate': legend is missing"),
        (changed(*FIRST, "queries", 0, "expr", to=" "), "expr is empty"),
        (changed(*FIRST, "queries", 0, "expr", to="sum(a"), "brackets of 'sum(a' do not match"),
        (changed(*FIRST, "queries", 0, "expr", to='a{b="("}]'), "do not match"),
        (changed(*FIRST, "queries", 0, "expr", to='a{b=~"$host"}'), "no variable is called host (known: pool, window)"),
    ],
)
def test_a_wrong_specification_is_refused_with_its_place(spec, words):
    with pytest.raises(Refused) as refused:
        panels.checked(spec)
    assert words in refused.value.message


def test_everything_that_is_wrong_is_told_at_once():
    spec = changed(*FIRST, "kind", to="pie")
    spec["boards"][0]["panels"][1]["unit"] = "miles"
    with pytest.raises(Refused) as refused:
        panels.checked(spec)
    assert len(refused.value.evidence["reasons"]) == 2


@pytest.mark.parametrize(
    ("expr", "names"),
    [
        ("up", {"up"}),
        ('sum by (job) (rate(a_total{b="c", d=~"e|f"}[5m]))', {"a_total"}),
        ("sum(a:b:rate5m) by (pool) / 100", {"a:b:rate5m"}),
        ("a and on (x) group_left (y) b unless ignoring(z) c", {"a", "b", "c"}),
        ("1e9 * a offset 1d > bool 2", {"a"}),
        ('label_replace(a, "b", "c $1", "d", "(e)")', {"a"}),
        ("count(a == 0) or 0 * count(a)", {"a"}),
        ("histogram_quantile(0.95, sum by (le) (rate(a_bucket[1m])))", {"a_bucket"}),
        ("time() - max(a) + inf", {"a"}),
        ("llamacpp:n_decode_total{a='}'}", {"llamacpp:n_decode_total"}),
        ("vector(1)", set()),
    ],
)
def test_metrics_are_found_in_an_expression(expr, names):
    assert panels.metrics_in(expr) == names


def test_metrics_and_expressions_of_what_is_absent_are_passed_over():
    assert panels.metrics_named(SMALL) == {"a_total", "DCGM_TEMP", "b", "began", "ended", "up"}
    assert panels.metrics_named(SMALL, ("gpu",)) == {"a_total", "began", "ended", "up"}
    assert "max(DCGM_TEMP)" in panels.expressions(SMALL)
    assert "max(DCGM_TEMP)" not in panels.expressions(SMALL, ("gpu",))


def test_expressions_have_values_in_the_place_of_variables():
    assert panels.expressions(SMALL)[0] == 'sum by (pool) (rate(a_total{pool=~".*"}[5m]))'
    chosen = panels.expressions(SMALL, pool="serving", window="1m")
    assert chosen[0] == 'sum by (pool) (rate(a_total{pool=~"serving"}[1m]))'
    assert not [expr for expr in panels.expressions(SHIPPED) if "$" in expr]
    assert len(panels.expressions(SHIPPED)) > 80


def test_the_site_reads_everything_and_every_board_once():
    told = panels.site(SHIPPED, interval=5, runbooks="runbooks.html#")
    assert json.loads(json.dumps(told)) == told
    assert told["boards"] == SHIPPED["boards"]
    assert (told["interval"], told["runbooks"], told["title"]) == (5, "runbooks.html#", "Platform status")
    bare = panels.site({"boards": SMALL["boards"][:1], "needs": SMALL["needs"], "variables": SMALL["variables"]})
    assert (bare["markers"], bare["runbooks"]) == ({}, "")


@pytest.mark.parametrize(
    "given",
    [{"runbooks": "javascript:alert(1)//"}, {"runbooks": "//elsewhere/"}, {"interval": 0}, {"interval": float("nan")}],
)
def test_what_a_browser_must_not_be_told_is_refused(given):
    with pytest.raises(Refused):
        panels.site(SMALL, **given)


@pytest.mark.parametrize("board", [board["name"] for board in SHIPPED["boards"]])
def test_panels_say_what_a_reader_needs(board):
    for owner, panel in panels.panels(SHIPPED):
        if owner["name"] == board:
            assert panel["help"].endswith("."), panel["title"]
            names = {name for query in panel["queries"] for name in panels.metrics_in(query["expr"])}
            assert names, panel["title"]
            if names <= {name for name in names if name.startswith(("DCGM_", "vllm:"))}:
                assert panel.get("without"), f"{panel['title']}: says what it needs"

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dashboards as Grafana reads them: their shape, and that nothing of the specification is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.steadfast.ai_platform.plugins.module_utils import grafana
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused

SPEC = yaml.safe_load((Path(__file__).parents[4] / "roles/monitoring/files/panels.yml").read_text(encoding="utf-8"))
DASHBOARDS = grafana.dashboards(SPEC)
PANELS = [
    (dashboard, panel, source)
    for dashboard, board in zip(DASHBOARDS, SPEC["boards"])
    for panel, source in zip(dashboard["panels"], board["panels"])
]
IDS = [f"{dashboard['uid']} {panel['title']}" for dashboard, panel, _source in PANELS]


def one(**panel):
    """The panel of a specification with one panel."""
    base = {
        "title": "T",
        "kind": "stat",
        "unit": "count",
        "width": 4,
        "help": "H.",
        "queries": [{"expr": "a", "legend": ""}],
    }
    board = {"name": "b", "title": "B", "about": "A.", "panels": [{**base, **panel}]}
    return grafana.dashboards({"boards": [board]})[0]["panels"][0]


def test_every_board_is_a_dashboard_of_its_own():
    assert [dashboard["uid"] for dashboard in DASHBOARDS] == [f"steadfast-{board['name']}" for board in SPEC["boards"]]
    assert all(len(dashboard["uid"]) <= 40 for dashboard in DASHBOARDS)
    assert json.loads(json.dumps(DASHBOARDS)) == DASHBOARDS


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each["uid"])
def test_a_dashboard_asks_for_its_source_and_links_to_the_others(dashboard):
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    assert [*variables] == ["datasource", "pool", "instance"]
    assert variables["datasource"]["query"] == "prometheus"
    assert variables["pool"]["query"]["query"] == "label_values(steadfast_expected_servers, pool)"
    assert (variables["pool"]["allValue"], variables["pool"]["includeAll"]) == (".*", True)
    (marker,) = dashboard["annotations"]["list"]
    assert marker["useValueForTime"] is True
    assert marker["expr"] == 'steadfast_pool_run_ended_timestamp_seconds{pool=~"$pool"} * 1000'
    assert dashboard["links"][0]["tags"] == dashboard["tags"]
    assert "id" not in dashboard, "an id of another Grafana would be refused"


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each["uid"])
def test_panels_do_not_overlap_and_fit_the_grid(dashboard):
    taken = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


@pytest.mark.parametrize(("dashboard", "panel", "source"), PANELS, ids=IDS)
def test_a_panel_has_every_query(dashboard, panel, source):
    assert panel["title"] == source["title"]
    assert panel["description"].startswith(source["help"])
    assert len(panel["targets"]) == len(source["queries"])
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    for target, query in zip(panel["targets"], source["queries"]):
        assert target["expr"].strip()
        assert "$window" not in target["expr"]
        assert query["expr"].replace("$window", "$__rate_interval") in target["expr"]
        assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert target["instant"] is not target["range"]


@pytest.mark.parametrize(
    ("thresholds", "steps"),
    [
        ({"warn": 1, "bad": 5}, [("green", None), ("yellow", 1), ("red", 5)]),
        ({"warn": 0.9, "bad": 0.5}, [("red", None), ("yellow", 0.5), ("green", 0.9)]),
    ],
)
def test_thresholds_are_steps_upwards(thresholds, steps):
    found = one(thresholds=thresholds)["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [(step["color"], step["value"]) for step in found] == steps


def test_moments_are_milliseconds():
    panel = one(unit="moment")
    assert panel["targets"][0]["expr"] == "(a) * 1000"
    assert panel["fieldConfig"]["defaults"]["unit"] == "dateTimeFromNow"


def test_states_are_words_and_queries_have_their_own():
    panel = one(
        states=[[0, "bad", "down"], [1, "good", "up"]],
        queries=[
            {"expr": "a", "legend": "x"},
            {"expr": "b", "legend": "y", "unit": "s", "states": [[1, "calm", "yes"]]},
        ],
    )
    assert panel["fieldConfig"]["defaults"]["mappings"][0]["options"]["0"] == {"text": "down", "color": "red"}
    (override,) = panel["fieldConfig"]["overrides"]
    assert override["matcher"]["options"] == "y"
    assert [each["id"] for each in override["properties"]] == ["unit", "mappings"]


@pytest.mark.parametrize(("count", "names"), [(1, ["Value"]), (2, ["Value #A", "Value #B"])])
def test_a_table_has_a_column_for_each_query(count, names):
    queries = [{"expr": "a", "legend": f"q{number}"} for number in range(count)]
    panel = one(kind="table", columns=["job"], queries=queries)
    organize = panel["transformations"][1]["options"]
    assert [*organize["renameByName"]] == names
    assert organize["indexByName"]["job"] == 0
    assert {target["format"] for target in panel["targets"]} == {"table"}


def test_what_may_be_absent_is_said():
    spec = {
        "needs": {"gpu": {"about": "an exporter", "metrics": "D.+"}},
        "boards": [
            {
                "name": "b",
                "title": "B",
                "about": "A.",
                "panels": [
                    {
                        "title": "T",
                        "kind": "stat",
                        "unit": "C",
                        "width": 4,
                        "help": "H.",
                        "without": "gpu",
                        "queries": [{"expr": "D", "legend": ""}],
                    }
                ],
            }
        ],
    }
    assert grafana.dashboards(spec)[0]["panels"][0]["description"] == "H. Needs an exporter."


def test_a_wrong_specification_is_refused():
    with pytest.raises(Refused, match="boards is missing"):
        grafana.dashboards({})

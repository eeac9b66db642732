# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped rules as they are written: names, labels, pages, and that promtool has four cases for every alert.

What they do is tested by promtool (tests/rules), under both versions of Prometheus, in Molecule's story `monitoring`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.policy import decide, policy
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.xid_policy import XIDS
from ansible_collections.steadfast.ai_platform.plugins.module_utils.redundancy import survival

from tests.rules_metrics import METRICS_NOT_IN_LAB, RULES, metrics_in_lab, metrics_named, names_in, recorded, rules

ROOT = Path(__file__).resolve().parents[3]
RUNBOOKS = ROOT / "docs" / "runbooks"
CASES = ROOT / "tests" / "rules"

SEVERITIES = {"critical", "warning", "info"}
COMPONENTS = {
    "node", "balancer", "vip", "model_server", "gpu", "store", "jobs", "monitoring", "slo", "redundancy", "anomaly",
}  # fmt: skip
KINDS = {"fires", "silent", "missing data", "restart"}
# The watchdog always fires; there is no case in which it should not.
NEVER_SILENT = {"Watchdog"}
# Gone or renamed in Prometheus 3, or not there without a feature flag in 2.42.
FORBIDDEN = r"\b(holt_winters|double_exponential_smoothing|mad_over_time|sort_by_label|sort_by_label_desc|info)\s*\("
# level:metric:operation; what has no operation may leave it out.
RECORDED = r"[a-z]+:[a-z][a-z0-9_]*(:[a-z0-9]+)?"
LEVELS = {"platform", "pool", "engine", "store", "slo"}


def read(path: Path) -> Any:
    """A YAML file's content, by the fast loader where there is one."""
    return yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506


ALERTS: dict[str, list[dict[str, Any]]] = defaultdict(list)
for _file, rule in rules():
    if "alert" in rule:
        ALERTS[rule["alert"]].append(rule)
TESTS = {path.name: read(path) for path in sorted(CASES.glob("*.yml"))}
# Alert: kind of case: its checks. A name is "Alert: kind" or "Alert: kind, of what sort".
TRIED: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
for content in TESTS.values():
    for case in content["tests"]:
        alert, _colon, kind = case["name"].partition(": ")
        for check in case.get("alert_rule_test", []):
            TRIED[alert][kind.split(",")[0]].append(check)


def test_dcgm_is_to_tell_what_is_read() -> None:
    told = {
        line.split(",")[0]
        for line in (ROOT / "roles/monitoring_agent/files/dcgm-counters.csv").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    }
    folder = ROOT / "roles" / "monitoring"
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.yml")]
    read = {name for text in texts for name in re.findall(r"\bDCGM_[A-Z_]+[A-Z]\b", re.sub("#.*", "", text))}
    assert told == read


def test_an_xid_asks_for_what_the_probe_says() -> None:
    """One thing, and 45, which is the noise of cleaning up after another error, for nothing."""
    patterns = [
        (re.search(r'xid=~"([^"]+)"', rule["expr"]), rule["labels"]["action"], rule["labels"]["severity"])
        for rule in ALERTS["GpuXid"]
    ]
    nvidia = policy("nvidia")
    for code in range(1, 200):
        found = [
            (action, severity) for match, action, severity in patterns if match and re.fullmatch(match[1], str(code))
        ]
        # 154 and the like: the probe reads more than the code, the rule cannot.
        decision = decide(code, fatal=False, chosen=nvidia) if code in XIDS else None
        told = decision is not None and decision.severity != "info"
        assert found == ([(decision.action, decision.severity)] if decision and told else []), code


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_whoever_is_woken_needs(name: str) -> None:
    assert re.fullmatch(r"([A-Z][a-z]+)+", name)
    for rule in ALERTS[name]:
        assert rule["labels"]["severity"] in SEVERITIES
        assert rule["labels"]["component"] in COMPONENTS
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}
        assert rule["annotations"]["runbook"] == name
        assert "$value" not in rule["annotations"]["summary"], "a summary groups; numbers are the description's"
        assert re.search(r"\$value|\d", rule["annotations"]["description"]), "a description has numbers"
        assert all(text[0].isupper() or text.startswith("{{") for text in rule["annotations"].values())


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_page(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    severities = " or ".join(dict.fromkeys(rule["labels"]["severity"] for rule in ALERTS[name]))
    assert text.startswith(f"# {name}\n\n{severities} · {ALERTS[name][0]['labels']['component']}\n")
    for part in ("What it means", "Why it matters", "Look", "Do", "Silence"):
        assert f"**{part}." in text
    for other in re.findall(r"\]\((\w+)\.md\)", text):
        assert other in ALERTS


def test_the_pages_are_those_of_the_alerts() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\(\1\.md\) \| ([a-z, ]+) \| (\w+) \|", (RUNBOOKS / "README.md").read_text(), re.M)
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == set(ALERTS)
    assert {name: (severity, component) for name, severity, component in rows} == {
        name: (
            ", ".join(dict.fromkeys(rule["labels"]["severity"] for rule in mine)),
            mine[0]["labels"]["component"],
        )
        for name, mine in ALERTS.items()
    }


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_all_four_cases(name: str) -> None:
    missing = KINDS - set(TRIED[name]) - ({"silent"} if name in NEVER_SILENT else set())
    assert not missing
    assert set(TRIED[name]) <= KINDS
    assert {check["alertname"] for checks in TRIED[name].values() for check in checks} == {name}
    assert not [check for check in TRIED[name]["silent"] if check.get("exp_alerts")]
    fired = [each["exp_labels"] for check in TRIED[name]["fires"] for each in check.get("exp_alerts", [])]
    for rule in ALERTS[name]:
        assert [labels for labels in fired if rule["labels"].items() <= labels.items()], "each of its rules fires once"


def test_every_case_is_of_an_alert_or_a_recorded_series() -> None:
    assert not set(TRIED) - set(ALERTS)
    for name, content in TESTS.items():
        for rule_file in content["rule_files"]:
            assert (CASES / rule_file).resolve().parent == RULES, name
            assert (CASES / rule_file).is_file(), name
        names = [case["name"] for case in content["tests"]]
        assert len(names) == len(set(names)), name


@pytest.mark.parametrize("name", sorted(recorded()))
def test_recorded_names_have_a_level_a_metric_and_an_operation(name: str) -> None:
    assert re.fullmatch(RECORDED, name)
    assert name.partition(":")[0] in LEVELS


def test_rules_load_on_every_prometheus_that_is_promised() -> None:
    for file, rule in rules():
        assert not re.search(FORBIDDEN, rule["expr"]), f"{file}: {rule}"
        assert "@" not in rule["expr"], f"{file}: {rule}"


def test_what_is_learned_never_pages() -> None:
    for name, mine in ALERTS.items():
        for rule in mine:
            if any(metric.startswith("steadfast_anomaly_") for metric in names_in(rule["expr"])):
                assert rule["labels"]["severity"] in {"warning", "info"}, name


def test_the_rules_and_the_module_have_one_arithmetic() -> None:
    """What promtool wants of the recorded probability is what redundancy.py says."""
    case = next(each for each in TESTS["redundancy.yml"]["tests"] if each["name"].endswith("survival is the binomial"))
    given: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for series in case["input_series"]:
        pool = re.search(r'(?:pool|proxy)="(\w+)"', series["series"])[1]
        metric, value = series["series"].split("{")[0], float(series["values"].split("x")[0])
        given[pool][metric] += value
    compared = 0
    for sample in case["promql_expr_test"][0]["exp_samples"]:
        of, pool = re.fullmatch(r'\{of="(\w+)",pool="(\w+)"\}', sample["labels"]).groups()
        mine = given[pool]
        count = mine["steadfast_expected_servers" if of == "configured" else "haproxy_server_status"]
        expected = survival(int(mine["steadfast_required_servers"]), int(count), mine["steadfast_server_availability"])
        assert sample["value"] == pytest.approx(expected, abs=1e-6)
        compared += 1
    assert compared >= 9


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('up{job="node", role=~"a|b"} == 0', {"up"}),
        ("sum by (a, le) (rate(x_sum[5m] offset 1h)) > on (a) group_left () slo:y:ratio", {"x_sum", "slo:y:ratio"}),
        ("a:b:c / 1e9 > bool 0.5 and on () vector(2) unless time() - z < 600", {"a:b:c", "z"}),
        ('label_replace(q, "pool", "$1", "proxy", "(.*)")', {"q"}),
        ("histogram_quantile(0.95, count by (le) (count_values(\"h\", llamacpp:m_total)))", {"llamacpp:m_total"}),
        ("max without (instance) (min_over_time(m[5m])) or 0 * n", {"m", "n"}),
    ],
)  # fmt: skip
def test_names_are_found_in_expressions(expression: str, expected: set[str]) -> None:
    assert names_in(expression) == expected


def test_metrics_that_are_read() -> None:
    named = metrics_named()
    assert {"up", "haproxy_server_status", "steadfast_vrrp_state", "llamacpp:n_decode_total"} <= metrics_in_lab()
    assert not named & recorded()
    for pattern, reason in METRICS_NOT_IN_LAB.items():
        assert reason
        assert any(re.fullmatch(pattern, name) for name in named), f"{pattern} excuses nothing"

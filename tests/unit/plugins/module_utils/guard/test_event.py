# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts, as Alertmanager sends them and as they should never be."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.event import Event, read_event
from hypothesis import given, settings
from hypothesis import strategies as st

WEBHOOK = {
    "status": "firing",
    "labels": {"alertname": "EngineHung", "instance": "gpu1:8000", "pool": "serving", "severity": "critical"},
    "annotations": {"summary": "Engine of gpu1 hangs"},
    "startsAt": "2026-03-02T09:00:00.25Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://mon1:9090/graph",
    "fingerprint": "0f1e2d3c4b5a6978",
}


def test_an_alert_of_a_webhook():
    event = read_event(WEBHOOK)
    assert event == Event("0f1e2d3c4b5a6978", 1772442000.25, "firing", "EngineHung", "gpu1", 1772442000.25)
    assert read_event({**WEBHOOK, "seenAt": "2026-03-02T09:05:00Z"}).seen_at == 1772442300
    assert read_event(event.to_dict()) == event


def test_the_key_is_what_alertmanager_promises_to_repeat():
    event = read_event(WEBHOOK)
    assert event.key == "0f1e2d3c4b5a6978@1772442000.250 firing"
    assert read_event({**WEBHOOK, "annotations": {}, "seenAt": 1772442999}).key == event.key
    others = [{"fingerprint": "ff"}, {"startsAt": "2026-03-02T09:00:01Z"}, {"status": "resolved"}]
    assert len({event.key, *(read_event({**WEBHOOK, **other}).key for other in others)}) == 4
    assert event.key_of("resolved") == read_event({**WEBHOOK, "status": "resolved"}).key


@pytest.mark.parametrize(
    ("instance", "host"),
    [("gpu1", "gpu1"), ("gpu1:9100", "gpu1"), ("", ""), (None, ""), ("::1", "::1"), ("a:b", "a:b")],
)
def test_the_host_is_the_instance_without_its_port(instance, host):
    if instance == "::1":
        with pytest.raises(Unreadable, match="instance is '::1'"):
            read_event({**WEBHOOK, "labels": {**WEBHOOK["labels"], "instance": instance}})
    else:
        assert read_event({**WEBHOOK, "labels": {**WEBHOOK["labels"], "instance": instance}}).host == host


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": "pending"}, "event.status is 'pending', but must be firing or resolved"),
        ({"status": None}, "event.status"),
        ({"startsAt": "now"}, "event.startsAt: 'now' is no time"),
        ({"startsAt": None}, "event.startsAt is None"),
        ({"startsAt": 1e12}, "event.startsAt"),
        ({"seenAt": "x"}, "event.seenAt"),
        ({"fingerprint": ""}, "event.fingerprint"),
        ({"labels": []}, "event.labels is"),
        ({"labels": {"instance": "gpu1"}}, "alertname"),
        ({"labels": {"alertname": "a\nb", "instance": "gpu1"}}, "alertname"),
        ({"labels": {"alertname": "A", "instance": "gpu1\x1b[0m"}}, "instance"),
    ],
)
def test_what_is_no_alert_says_what_is_missing(change, said):
    with pytest.raises(Unreadable, match=said):
        read_event({**WEBHOOK, **change})


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([*WEBHOOK, "x"]), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from([*WEBHOOK, "seenAt", "x"]), ANYTHING) | ANYTHING)
def test_garbage_raises_only_our_errors(said):
    try:
        read_event(said)
    except PlatformError:
        pass

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Alertmanager posts, and what anybody might."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.remediation import webhook
from hypothesis import given
from hypothesis import strategies as st

NOW = 1772442600.0
ALERT = {
    "status": "firing",
    "labels": {"alertname": "EngineHung", "instance": "gpu1:8000", "severity": "critical"},
    "annotations": {"summary": "Engine of gpu1 hangs"},
    "startsAt": "2026-03-02T09:00:00.25Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://mon1:9090/graph",
    "fingerprint": "0f1e2d3c4b5a6978",
}


def body(*alerts: Any, **more: Any) -> bytes:
    return json.dumps({"version": "4", "groupKey": "{}", "status": "firing", "alerts": list(alerts), **more}).encode()


def test_a_delivery() -> None:
    other = {**ALERT, "fingerprint": "ff", "status": "resolved"}
    batch = webhook.read_batch(body(ALERT, other, truncatedAlerts=3), NOW)
    assert [(event.alert, event.host, event.status, event.seen_at) for event in batch.events] == [
        ("EngineHung", "gpu1", "firing", NOW),
        ("EngineHung", "gpu1", "resolved", NOW),
    ]
    assert (batch.refused, batch.truncated) == ((), 3)


def test_one_that_cannot_be_understood_does_not_take_the_others_along() -> None:
    batch = webhook.read_batch(body({**ALERT, "startsAt": "soon"}, ALERT, "x", {"status": "firing"}), NOW)
    assert len(batch.events) == 1
    assert [reason.split(":")[0] for reason in batch.refused] == ["alerts[0]", "alerts[2]", "alerts[3]"]
    assert "'soon' is no time" in batch.refused[0]


def test_the_sender_does_not_say_when_it_was_seen() -> None:
    event = webhook.read_batch(body({**ALERT, "seenAt": "2099-01-01T00:00:00Z"}), NOW).events[0]
    assert event.seen_at == NOW
    # Nor does one in the log's own shape get by.
    flat = {**event.to_dict(), "seen_at": NOW + 9e6}
    assert webhook.read_batch(body(flat), NOW).events == ()


def test_twice_in_one_delivery_is_once() -> None:
    assert len(webhook.read_batch(body(ALERT, ALERT), NOW).events) == 1


@pytest.mark.parametrize(
    ("given_body", "said"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"version": "4", "alerts": [NaN]}', "NaN is no number"),
        (b"[]", "no JSON object"),
        (b'{"alerts": []}', "version is None"),
        (b'{"version": 4, "alerts": []}', "version is 4"),
        (b'{"version": "4"}', "must be a list"),
        (b'{"version": "4", "alerts": {}}', "must be a list"),
        (body(*[0] * (webhook.MAX_ALERTS + 1)), "at most 5000"),
        (b" " * (webhook.MAX_BODY + 1), "more than"),
    ],
    ids=range(11),
)
def test_what_is_no_delivery(given_body: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        webhook.read_batch(given_body, NOW)


# JSON has no NaN and no infinity.
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*ALERT, "x"]), inner, max_size=6),
    max_leaves=20,
)


@given(
    st.binary(max_size=200) | st.lists(values, max_size=4).map(lambda alerts: body(*alerts)) | values.map(json.dumps)
)
def test_nothing_that_is_posted_makes_it_fall(posted: bytes | str) -> None:
    try:
        batch = webhook.read_batch(posted if isinstance(posted, bytes) else posted.encode(), NOW)
    except Unreadable:
        return
    assert all(event.status in ("firing", "resolved") and event.fingerprint for event in batch.events)


@given(st.dictionaries(st.sampled_from(list(ALERT)), values))
def test_an_alert_that_is_spoiled_is_refused_or_whole(spoiled: dict[str, Any]) -> None:
    batch = webhook.read_batch(body({**ALERT, **spoiled}, ALERT), NOW)
    assert len(batch.events) + len(batch.refused) in (1, 2)
    assert "0f1e2d3c4b5a6978@1772442000.250 firing" in {event.key for event in batch.events}


def basic(text: str) -> str:
    return "Basic " + b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "admitted"),
    [
        ("Bearer secret", True),
        ("bearer  secret ", True),
        (basic("alertmanager:word"), True),
        ("", False),
        ("Bearer", False),
        ("Bearer ", False),
        ("Bearer secret2", False),
        ("Bearer secre", False),
        ("Bearer sécret", False),
        ("secret", False),
        ("Token secret", False),
        ("Basic secret", False),
        (basic("alertmanager:"), False),
        (basic("other:word"), False),
        (basic("alertmanager"), False),
        ("Basic /////w==", False),
    ],
)
def test_who_is_admitted(header: str, admitted: bool) -> None:
    assert webhook.authorized(header, "secret", "alertmanager", "word") is admitted


@pytest.mark.parametrize("header", ["Bearer ", "Bearer", basic(":"), basic("alertmanager:"), "Basic"])
def test_an_empty_secret_admits_nobody(header: str) -> None:
    assert not webhook.authorized(header, "", "", "")
    assert not webhook.authorized(header, "", "alertmanager", "")

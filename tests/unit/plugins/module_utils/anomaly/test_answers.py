# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of Prometheus are understood; whatever else comes in their place is refused with a reason."""

from __future__ import annotations

import json

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly import answers
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Unreadable
from hypothesis import given
from hypothesis import strategies as st


def vector(*pairs):
    result = [{"metric": labels, "value": [1700000000.123, value]} for labels, value in pairs]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


def reason(body):
    with pytest.raises(Unreadable) as caught:
        answers.samples(body)
    return caught.value.evidence["reason"]


def test_a_vector():
    found = answers.samples(vector(({"__name__": "up", "instance": "a"}, "1"), ({}, "-2.5e3")))
    assert found == [({"__name__": "up", "instance": "a"}, 1.0), ({}, -2500.0)]


def test_a_scalar_has_no_labels():
    body = b'{"status":"success","data":{"resultType":"scalar","result":[1,"3"]}}'
    assert answers.samples(body) == [({}, 3.0)]


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "1e300", "1e99999"])
def test_a_value_that_no_detector_can_use_is_a_missing_one(value):
    assert answers.samples(vector(({}, value)))[0].value is None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not_json"),
        (b"<html>502 Bad Gateway</html>", "not_json"),
        (b"\xff\xfe\x00", "not_json"),
        (vector(({}, "1"))[:-5], "not_json"),
        (b'{"a":' * 200000 + b"1" + b"}" * 200000, "not_json"),
        (b"[" * 300000, "not_json"),
        (b"[" + b"[]," * 600000 + b"[]]", "too_large"),
        (b"[]", "malformed"),
        (b"1" * 3000000, "malformed"),
        (b'{"status":"error","errorType":"bad_data","error":"parse error"}', "refused"),
        (b'{"status":"success"}', "malformed"),
        (b'{"status":"success","data":[]}', "malformed"),
        (b'{"status":"success","data":{"resultType":"matrix","result":[]}}', "malformed"),
        (b'{"status":"success","data":{"resultType":"vector","result":{}}}', "malformed"),
        (b'{"status":"success","data":{"resultType":"vector","result":[7]}}', "malformed"),
        (
            b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}',
            "malformed",
        ),
        (b'{"status":"success","data":{"resultType":"vector","result":[{"metric":[],"value":[1,"1"]}]}}', "malformed"),
        (
            b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":1},"value":[1,"1"]}]}}',
            "malformed",
        ),
        (b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,1]}]}}', "malformed"),
        (
            b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"one"]}]}}',
            "malformed",
        ),
        (vector(({}, "1" * 65)), "malformed"),
    ],
)
def test_what_is_no_answer(body, why):
    assert reason(body) == why


def test_half_of_a_character_can_be_written_down_afterwards():
    found = answers.samples(vector(({"a": "x\ud800"}, "1")))
    assert found[0].labels["a"].encode() == b"x?"


def test_a_label_of_a_megabyte_is_cut():
    assert len(answers.samples(vector(({"a": "x" * 10**6}, "1")))[0].labels["a"]) == 256


@pytest.mark.parametrize(
    ("body", "yes"),
    [
        (vector(), False),
        (vector(({}, "0")), False),
        (vector(({}, "0"), ({"a": "b"}, "2")), True),
        (vector(({}, "NaN")), True),
    ],
)
def test_yes_is_anything_that_is_not_zero(body, yes):
    assert answers.says_yes(body) is yes


def test_a_label_that_is_not_there_is_empty():
    assert answers.key({"b": "2", "c": "3"}, ("a", "b")) == ("", "2")


@given(st.binary(max_size=400))
def test_whatever_comes_is_read_or_refused(body):
    try:
        answers.samples(body)
    except Unreadable as error:
        # A refusal that does not say why would be a failure of its own.
        error.evidence["reason"].encode()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.sampled_from(["metric", "value", "a"]), each),
)


@given(ANYTHING)
def test_whatever_is_a_result_is_read_or_refused(result):
    body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()
    try:
        assert all(isinstance(sample.labels, dict) for sample in answers.samples(body))
    except Unreadable as error:
        error.evidence["reason"].encode()

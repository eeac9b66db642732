# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of engines, real and hostile."""

from __future__ import annotations

import json

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.engine.answers import (
    completion_text,
    metric_total,
    served_models,
)
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Unreadable
from hypothesis import given
from hypothesis import strategies as st

LLAMA_CPP = {"data": [{"id": "tiny", "aliases": ["tiny", "tiny@r1-f547ad2d737b"], "object": "model"}]}
VLLM = {"object": "list", "data": [{"id": "tiny"}, {"id": "tiny@r1-f547ad2d737b"}]}


@pytest.mark.parametrize("answer", [LLAMA_CPP, VLLM])
def test_served_models_of_both_engines(answer):
    assert {"tiny", "tiny@r1-f547ad2d737b"} <= set(served_models(json.dumps(answer)))


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"choices": [{"text": " before word"}]}, " before word"),
        ({"choices": [{"message": {"role": "assistant", "content": "Hi"}}]}, "Hi"),
    ],
)
def test_completion_text(answer, text):
    assert completion_text(json.dumps(answer)) == text


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"choices": []},
        {"choices": [{"text": ""}]},
        {"choices": [{"message": None}]},
        {"choices": ["x"]},
        {"choices": [{"message": {"content": None}}]},
        {"error": {"message": "no"}},
        [],
    ],
)
def test_a_completion_without_text_is_no_completion(answer):
    with pytest.raises(Unreadable):
        completion_text(json.dumps(answer))


METRICS = """# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 2
llamacpp:requests_deferred 1
vllm:num_requests_running{model_name="a b}c",engine="0"} 3.0
vllm:num_requests_running{model_name="a",engine="1"} 1.0
llamacpp:bad NaN
"""


@pytest.mark.parametrize(
    ("names", "total"),
    [(["llamacpp:requests_processing", "llamacpp:requests_deferred"], 3), (["vllm:num_requests_running"], 4)],
)
def test_metric_total(names, total):
    assert metric_total(METRICS, names) == total


@pytest.mark.parametrize("names", [["llamacpp:requests"], ["llamacpp:bad"], ["absent"]])
def test_an_unknown_number_is_an_error_and_never_zero(names):
    with pytest.raises(Unreadable):
        metric_total(METRICS, names)


@given(st.text())
def test_garbage_raises_only_our_errors(body):
    for read in (served_models, completion_text, lambda text: metric_total(text, ["x"])):
        try:
            read(body)
        except PlatformError:
            pass

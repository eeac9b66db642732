# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The body of the completion that proves an engine."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.engine.question import Question


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        ("/v1/completions", "prompt", "Hello"),
        ("/v1/chat/completions", "messages", [{"role": "user", "content": "Hello"}]),
    ],
)
def test_completion_fits_the_interface(path, field, value):
    body = Question(model="tiny", completion_path=path).completion()
    assert body[field] == value
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("tiny", 0, 4)

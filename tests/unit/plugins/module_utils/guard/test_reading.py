# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others wrote becomes a sentence with its place."""

from __future__ import annotations

import math

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.reading import Reader


def wrong(method, *args):
    read = Reader()
    getattr(read, method)("here", *args)
    return read.wrong


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("mapping", ({"a": 1}, ("a",))),
        ("number", (0, 0, 1)),
        ("number", (0.5, 0, 1)),
        ("number", (3.0, 0, 9, True)),
        ("name", ("rack-1/A:2",)),
        ("names", (["a", "b"],)),
        ("flag", (False,)),
    ],
)
def test_what_is_right(method, args):
    assert wrong(method, *args) == []


@pytest.mark.parametrize(
    ("method", "args", "said"),
    [
        ("mapping", ([],), "here is \\[\\], but must be a mapping"),
        ("mapping", ({1: 2},), "must be a mapping"),
        ("mapping", ({"b": 1, "c": 1}, ("a",)), r"here has b, c, which is not known \(known: a\)"),
        ("number", ("1", 0, 2), "here is '1', but must be a number from 0 to 2"),
        ("number", (True, 0, 2), "must be a number"),
        ("number", (math.nan, 0, 2), "must be a number"),
        ("number", (math.inf, 0, 2), "must be a number"),
        ("number", (3, 0, 2), "here is 3"),
        ("number", (1.5, 0, 2, True), "a whole number"),
        ("name", ("",), "must be a name"),
        ("name", ("a\nb",), "must be a name"),
        ("name", ("\x1b[31m",), "must be a name"),
        ("name", ("x" * 300,), "here is 'xxx.*[.]{3}, but"),
        ("name", (7,), "must be a name"),
        ("names", ("gpu1",), "must be a list of names"),
        ("names", (["a", 1],), r"here\[1\] is 1"),
        ("flag", ("no",), "must be true or false"),
        ("flag", (1,), "must be true or false"),
    ],
)
def test_what_is_wrong(method, args, said):
    read = Reader()
    getattr(read, method)("here", *args)
    assert len(read.wrong) == 1
    with pytest.raises(Refused, match=said) as caught:
        read.finish(Refused, "the thing")
    assert caught.value.evidence == {"reasons": read.wrong}

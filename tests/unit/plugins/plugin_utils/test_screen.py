# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The block at the bottom of the terminal."""

from __future__ import annotations

import io
import threading

import pytest
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils.screen import Screen, ascii_only, can_redraw

from tests.unit.plugins.plugin_utils.terminal import shown


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_other_output_goes_above_the_block() -> None:
    stream = Terminal()
    screen = Screen(stream, threading.RLock())
    screen.write("one\n")
    screen.draw(["block 1", "block 2"])
    screen.write("two\n")
    screen.draw(["block 3"])
    assert shown(stream.getvalue()) == ["one", "two", "block 3"]
    screen.draw(["other", "lines", "longer"])
    screen.draw(["short"])
    assert shown(stream.getvalue()) == ["one", "two", "short"]
    screen.draw([])
    assert shown(stream.getvalue()) == ["one", "two"]


def test_errors_make_the_block_go_too() -> None:
    stream = Terminal()
    screen = Screen(stream, threading.RLock())
    errors = Screen(stream, threading.RLock(), screen)
    screen.draw(["block"])
    errors.write("warning\n")
    assert shown(stream.getvalue()) == ["warning"]


def test_nothing_is_drawn_behind_a_question() -> None:
    stream = Terminal()
    screen = Screen(stream, threading.RLock())
    screen.write("Password: ")
    screen.draw(["block"])
    assert shown(stream.getvalue()) == ["Password: "]


def test_the_same_block_is_not_drawn_again() -> None:
    stream = Terminal()
    screen = Screen(stream, threading.RLock())
    screen.draw(["block"])
    before = stream.getvalue()
    screen.draw(["block"])
    assert stream.getvalue() == before


def test_it_stands_in_for_the_stream() -> None:
    screen = Screen(Terminal(), threading.RLock())
    assert screen.encoding == "utf-8"
    assert screen.isatty()
    assert screen.write("abc") == 3


@pytest.mark.parametrize(
    ("environ", "can"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "dumb"}, False),
        ({}, False),
        ({"TERM": "xterm", "CI": "true"}, False),
        ({"TERM": "xterm", "AWX_ISOLATED_DATA_DIR": "/runner"}, False),
    ],
)
def test_which_terminals_can_redraw(environ: dict[str, str], can: bool) -> None:
    assert can_redraw(Terminal(), environ) is can
    assert not can_redraw(io.StringIO(), environ)


@pytest.mark.parametrize(
    ("encoding", "only"), [("utf-8", False), ("UTF8", False), ("ascii", True), ("latin-1", True), (None, True)]
)
def test_which_output_is_ascii(encoding: str | None, only: bool) -> None:
    stream = Terminal()
    stream.encoding = encoding
    assert ascii_only(stream) is only

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases that misbehave are stopped at the canary, and the screen's last line says why."""

from __future__ import annotations

import re

import pytest

from tests.chaos import releases, story
from tests.chaos.controller import Controller

# Release, a pattern of what the last line says, more arguments, and whether its users may have met the fault.
SOME = (("bad-errors", "errors: ", (), True),)
MORE = (
    ("bad-slow", "latency: ", (), True),
    ("r3-broken", "does not serve", (), False),
    ("bad-name", "should serve 'tiny@bad-name", (), False),
    ("bad-garbage", "does not serve", (), False),
    ("bad-hang", "made no token", ("-e", "bake_time=40", "-e", "stall_seconds=10"), True),
    # Seen before systemd starts it anew, or after.
    ("bad-die", "the engine of gpu1 (does not run|died and was started anew)", ("-e", "bake_time=40"), True),
)


@pytest.mark.parametrize(("release", "reason", "more", "met"), [*SOME, *MORE] if story.WHOLE else SOME)
def test_a_bad_release_is_stopped_at_the_canary(lab, nodes, way, tmp_path, release, reason, more, met):
    releases.install(lab, nodes)
    variables = releases.write_variables(tmp_path / "releases.json")
    # Where no user may meet the fault, the two servers that stay must be able to carry all of the load.
    with story.load(lab, tmp_path, rate=100 if met else 40) as load:
        arguments = ("-e", f"@{variables}", "-e", f"release={release}", "-e", "bake_time=30", *more)
        with Controller(lab, tmp_path / "run", *story.DEPLOY, *arguments) as run:
            assert run.end() != 0
        result = load.stop()
    assert re.search(reason, run.last_line()), run.last_line()
    assert "stopped at gpu1" in run.last_line()
    assert f"is back in traffic on {way.here}" in run.last_line()
    assert not [name for name in run.transitions() if name.endswith(" 2")]
    assert set(story.releases(lab, nodes)) == {way.here}
    assert story.settled(lab) == []
    if not met:
        assert story.lost(result) == (0, 0), story.samples(result)

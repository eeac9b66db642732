# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller dies, sleeps, or is not alone."""

from __future__ import annotations

import itertools
import signal
import time

import pytest

from tests.chaos import story
from tests.chaos.controller import Controller
from tests.lab.containers import Lab

PHASES = ("draining", "changing", "admitting", "baking", "verified")
SOME = (("admitting 2", "resume"),)


def transitions(nodes):
    """Everything that the journal of a rollout node by node goes through before its end."""
    return ["run_opened", *(f"{phase} {batch}" for batch in range(1, len(nodes) + 1) for phase in PHASES)]


def pytest_generate_tests(metafunc):
    """One case for each transition, as many as the lab has nodes: `then` is what another controller does."""
    if "transition" in metafunc.fixturenames:
        every = [(each, "rollback") for each in transitions(story.nodes(Lab.from_env()))] if story.WHOLE else SOME
        metafunc.parametrize(("transition", "then"), every)


def test_killed_after_a_transition_another_controller_goes_on(lab, nodes, way, tmp_path, transition, then):
    with story.load(lab, tmp_path) as load:
        with Controller(lab, tmp_path / "first", *story.DEPLOY, "-e", f"release={way.there}", *story.QUICK) as first:
            assert first.reaches(transition), first.output()[-3000:]
        after = (*story.DEPLOY, "-e", "action=resume") if then == "resume" else story.ROLLBACK
        time.sleep(16)
        with Controller(lab, tmp_path / "second", *after, *story.QUICK) as second:
            assert second.end() == 0, second.output()[-3000:]
        result = load.stop()
    assert story.lost(result) == (0, 0), story.samples(result)
    assert set(story.releases(lab, nodes)) == {way.there if then == "resume" else way.here}
    assert story.settled(lab) == []


@pytest.mark.whole
def test_killed_after_every_transition_in_turn_another_controller_always_goes_on(lab, nodes, way, tmp_path):
    """One rollout, and a new controller after each death; none knows what the one before it knew."""
    died_after, due = [], set(transitions(nodes))
    with story.load(lab, tmp_path) as load:
        arguments = (*story.DEPLOY, "-e", f"release={way.there}", *story.QUICK, "-e", "lease_ttl=10")
        for number in itertools.count(1):
            with Controller(lab, tmp_path / f"controller{number}", *arguments) as controller:
                if not controller.until(lambda each: due & set(each.transitions())):
                    assert controller.end() == 0, controller.output()[-3000:]
                    break
            died_after += [each for each in controller.transitions() if each in due][:1]
            due.discard(died_after[-1])
            # As long as the lease and what was on its way: whoever comes next may meet the balancers' timers at work.
            time.sleep(11.5)
            arguments = (*story.DEPLOY, "-e", "action=resume", *story.QUICK, "-e", "lease_ttl=10")
        result = load.stop()
    assert story.lost(result) == (0, 0), story.samples(result)
    # What a controller wrote between two looks at it may be its second transition.
    assert len(died_after) >= len(transitions(nodes)) - 2, sorted(due)
    assert set(story.releases(lab, nodes)) == {way.there}
    assert story.settled(lab) == []


@pytest.mark.whole
def test_what_a_dead_controller_drained_comes_back_by_itself(lab, nodes, way, tmp_path):
    with story.load(lab, tmp_path) as load:
        with Controller(lab, tmp_path / "first", *story.DEPLOY, "-e", f"release={way.there}", *story.QUICK) as first:
            assert first.reaches("admitting 1"), first.output()[-3000:]
        assert story.settled(lab, 90) == []
        result = load.stop()
    assert story.lost(result) == (0, 0), story.samples(result)


def test_two_controllers_at_once_exactly_one_proceeds(lab, nodes, way, tmp_path):
    arguments = (*story.DEPLOY, "-e", f"release={way.there}", *story.QUICK)
    with (
        Controller(lab, tmp_path / "a", *arguments) as one,
        Controller(lab, tmp_path / "b", *arguments) as other,
    ):
        ends = [one.end(), other.end()]
        assert sorted(value == 0 for value in ends) == [False, True], one.output()[-2000:] + other.output()[-2000:]
        loser = one if ends[0] else other
        assert "is held by" in loser.last_line() or "came in between" in loser.last_line()
    assert set(story.releases(lab, nodes)) == {way.there}
    assert story.settled(lab) == []


@pytest.mark.whole
def test_a_controller_that_slept_past_its_lease_is_refused(lab, nodes, way, tmp_path):
    with story.load(lab, tmp_path) as load:
        with Controller(
            lab, tmp_path / "sleeper", *story.DEPLOY, "-e", f"release={way.there}", *story.QUICK
        ) as sleeper:
            assert sleeper.reaches("baking 1"), sleeper.output()[-3000:]
            sleeper.suspend(signal.SIGSTOP)
            time.sleep(17)
            with Controller(lab, tmp_path / "next", *story.DEPLOY, "-e", "action=resume", *story.QUICK) as following:
                assert following.end() == 0, following.output()[-3000:]
            sleeper.suspend(signal.SIGCONT)
            assert sleeper.end() != 0
            assert "lease" in sleeper.last_line(), sleeper.last_line()
        result = load.stop()
    assert story.lost(result) == (0, 0), story.samples(result)
    assert set(story.releases(lab, nodes)) == {way.there}
    assert story.settled(lab) == []

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every case begins with a whole lab: all hosts up, all nodes on r1 and in traffic, nobody holding the pool."""

from __future__ import annotations

import time

import pytest

from tests.chaos import story
from tests.chaos.controller import Controller
from tests.lab.containers import Lab


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "whole: only in the whole list, make chaos")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what belongs to the whole list; pytest says how many those were."""
    apart = [] if story.WHOLE else [item for item in items if item.get_closest_marker("whole")]
    if apart:
        config.hook.pytest_deselected(items=apart)
        items[:] = [item for item in items if item not in apart]


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab.from_env()


@pytest.fixture(scope="session")
def nodes(lab) -> tuple[str, ...]:
    return story.nodes(lab)


@pytest.fixture(autouse=True)
def on_r1(lab, nodes, tmp_path):
    for host in lab.hosts:
        if not lab.running(host):
            lab.start(host)
    if set(story.releases(lab, nodes)) == {"r1"} and not story.out_of_traffic(lab) and story.closed(lab):
        return
    end = time.monotonic() + 120
    arguments = (*story.ROLLBACK, "-e", "release=r1", "-e", "bake_time=1", "-e", "min_requests=0")
    while True:
        with Controller(lab, tmp_path / "before", *arguments, "-e", "admit_drained=true") as controller:
            if controller.end() == 0:
                break
            assert time.monotonic() < end, controller.output()[-3000:]
        # A dead controller's lease has to run out first.
        time.sleep(3)
    assert story.settled(lab) == []
    assert set(story.releases(lab, nodes)) == {"r1"}

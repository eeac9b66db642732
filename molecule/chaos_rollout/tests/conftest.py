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
def way(lab, nodes, tmp_path) -> story.Way:
    """Where every node is, and where a rollout goes: r1 to r2 or r2 to r1, whatever the case before left."""
    for host in lab.hosts:
        if not lab.running(host):
            lab.start(host)
    end = time.monotonic() + 150
    while not (here := story.whole(lab, nodes)):
        arguments = ("-e", "release=r1", "-e", "bake_time=1", "-e", "min_requests=0", "-e", "admit_drained=true")
        with Controller(lab, tmp_path / "before", *story.ROLLBACK, *arguments) as controller:
            # A dead controller's lease has to run out first.
            if controller.end():
                assert time.monotonic() < end, controller.output()[-3000:]
                time.sleep(3)
    return story.Way(here, {"r1": "r2", "r2": "r1"}[here])

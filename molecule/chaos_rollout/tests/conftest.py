# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every case begins with a whole lab: all hosts up, all nodes on r1 and in traffic, nobody holding the pool."""

from __future__ import annotations

import pytest

from tests.chaos import story
from tests.chaos.controller import mend
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
    return mend(lab, nodes, tmp_path / "before")

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Features that are normal alone and odd together."""

from __future__ import annotations

import json
import random

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.trees import HalfSpaceTrees


def pair(chance):
    """Load and temperature, which go together."""
    load = chance.random()
    return (load, min(1.0, max(0.0, load + chance.gauss(0, 0.03))))


def test_hot_without_load_is_odder_than_hot_with_load():
    chance, trees = random.Random(1), HalfSpaceTrees(2, random.Random(1).random)
    for _each in range(1000):
        trees.observe(pair(chance))
    usual = [trees.observe(pair(chance), learn=False) for _each in range(200)]
    assert trees.observe((0.05, 0.95), learn=False) > sorted(usual)[-3]


def test_the_first_window_judges_nothing():
    trees = HalfSpaceTrees(2, random.Random(1).random, window=50)
    assert [trees.observe((0.5, 0.5)) for _each in range(50)] == [None] * 50
    assert 0 <= trees.observe((0.5, 0.5)) <= 1


def test_they_go_on_after_a_restart_with_the_same_halves():
    chance, first = random.Random(1), HalfSpaceTrees(2, random.Random(1).random)
    for _each in range(600):
        first.observe(pair(chance))
    second = HalfSpaceTrees(2, float, like=first)
    second.load(json.loads(json.dumps(first.dump())))
    for _each in range(300):
        sample = pair(chance)
        assert first.observe(sample) == second.observe(sample)


@pytest.mark.parametrize("state", [{}, {"reference": 3}, {"reference": [], "latest": []}])
def test_trees_of_another_size_are_begun_anew(state):
    trees = HalfSpaceTrees(2, random.Random(1).random)
    trees.load(state)
    assert trees.seen == 0


def test_counts_that_were_made_up_are_refused():
    trees = HalfSpaceTrees(2, random.Random(1).random, trees=1, depth=1)
    with pytest.raises(ValueError, match="more than there was"):
        trees.load({"reference": ["////////"], "latest": ["////////"]})


def test_other_features_are_an_error():
    with pytest.raises(ValueError, match="2 features are expected, not 3"):
        HalfSpaceTrees(2, random.Random(1).random).observe((0.1, 0.2, 0.3))

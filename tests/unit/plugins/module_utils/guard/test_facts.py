# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts: nothing that is missing is filled in."""

from __future__ import annotations

import math

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.guard.facts import Pool, Signal, read_facts
from hypothesis import given, settings
from hypothesis import strategies as st

SAID = {
    "age": 3,
    "pools": {
        "serving": {"hosts": ["gpu1", "gpu2"], "up": ["gpu1"], "burn": 0.5, "held_by": "alice"},
        "balancers": {"hosts": ["lb1"], "up": ["lb1"], "burn": None},
    },
    "domains": {"gpu1": "rack1", "gpu2": "rack1", "lb1": "rack2"},
    "failing": {"gpu2": 40, "gpu1": 10, "elsewhere": 1},
    "signals": {"gpu2": [{"source": "probe", "bad": True, "age": 2}]},
    "silenced": ["lb1"],
}


def test_what_is_said_is_known():
    facts = read_facts(SAID)
    assert facts.pools["serving"] == Pool(frozenset(["gpu1", "gpu2"]), frozenset(["gpu1"]), 0.5, "alice")
    assert facts.pools["balancers"].held_by == ""
    assert facts.pool_of == {"gpu1": "serving", "gpu2": "serving", "lb1": "balancers"}
    assert facts.members == {"rack1": ("gpu1", "gpu2"), "rack2": ("lb1",)}
    assert facts.signals == {"gpu2": (Signal("probe", True, 2.0),)}
    assert facts.silenced == {"lb1"}


@pytest.mark.parametrize(("window", "hosts"), [(10, ()), (11, ("gpu1",)), (40, ("gpu1",)), (41, ("gpu1", "gpu2"))])
def test_who_began_to_fail_lately(window, hosts):
    assert read_facts(SAID).fail_together("serving", window) == hosts
    assert read_facts(SAID).fail_together("balancers", window) == ()


def test_the_pool_that_burns_fastest():
    assert read_facts(SAID).burning() == ("serving", 0.5)
    calm = {name: {**pool, "burn": None} for name, pool in SAID["pools"].items()}
    assert read_facts({**SAID, "pools": calm}).burning() == ("", 0.0)


def pool(**change):
    return {"pools": {"serving": {**SAID["pools"]["serving"], **change}}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"age": None}, "facts.age is None"),
        ({"age": -1}, "facts.age is -1"),
        ({"pools": None}, "facts.pools is None, but must be a mapping"),
        ({"more": 1}, "facts has more, which is not known"),
        (pool(hosts=None), "facts.pools.serving.hosts is None"),
        (pool(up=["gpu9"]), "up has gpu9, which is none of its hosts"),
        (pool(burn=math.nan), "facts.pools.serving.burn is nan"),
        (pool(upp=[]), "has upp, which is not known"),
        ({"pools": {"serving": {"hosts": [], "up": []}}}, "burn is missing: null says that the pool has no objective"),
        ({"pools": {**SAID["pools"], "b": SAID["pools"]["serving"]}}, "gpu1 is in pools serving and b"),
        ({"failing": {"gpu1": "long"}}, "facts.failing.gpu1 is 'long'"),
        ({"signals": {"gpu1": {}}}, "facts.signals.gpu1 is {}, but must be a list"),
        ({"signals": {"gpu1": [{"source": "x", "bad": "no", "age": 1}]}}, r"signals.gpu1\[0\].bad is 'no'"),
        ({"signals": {"gpu1": [{"source": "x", "bad": True}]}}, r"signals.gpu1\[0\].age is None"),
        ({"domains": {"gpu1": None}}, "facts.domains.gpu1"),
        ({"silenced": "gpu1"}, "facts.silenced"),
    ],
)
def test_what_cannot_be_understood_is_an_error_with_its_place(change, said):
    with pytest.raises(Unreadable, match=said):
        read_facts({**SAID, **change})


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from([*SAID, "x"]), ANYTHING))
def test_garbage_raises_only_our_errors(said):
    try:
        read_facts(said)
    except PlatformError:
        pass

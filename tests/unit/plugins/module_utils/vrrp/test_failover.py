# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the virtual IP may move on purpose."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.vrrp.failover import Side, decide

UP = {"serving": {"gpu1": True, "gpu2": True}}
LB1 = Side("lb1", holder=True, state="MASTER", config="c", served="c", pools=UP)
LB2 = Side("lb2", state="BACKUP", config="c", served="c", pools=UP, tables={"lb1": True})


def test_it_goes_to_the_other_one():
    for wanted in ("", "lb2"):
        found = decide([LB1, LB2], wanted)
        assert (found.source, found.target, found.objections) == ("lb1", "lb2", ())
        assert found.text == "The virtual IP moves from lb1 to lb2."


def test_nothing_to_do():
    found = decide([LB1, LB2], "lb1")
    assert (found.source, found.objections) == ("", ())
    assert "nothing to do" in found.text


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"trouble": "unreachable (no route)"}, "lb2 cannot be read (unreachable (no route))"),
        ({"state": "FAULT"}, "keepalived on lb2 is FAULT, not BACKUP"),
        ({"state": None}, "keepalived on lb2 is of unknown state (restart it there), not BACKUP"),
        ({"let_go": ("quorum",)}, "lb2 is told to let go (quorum)"),
        ({"config": "d", "served": "d"}, "lb1 and lb2 are configured differently: run site.yml"),
        ({"served": "d"}, "lb2 does not serve the configuration that lies there: was a reload refused?"),
        (
            {"pools": {"serving": {"gpu1": True, "gpu2": False}}},
            "pool serving has 2 of 2 servers UP at lb1, but 1 at lb2",
        ),
        ({"out": ("serving/gpu1",)}, "servers out of traffic at lb1: none; at lb2: serving/gpu1"),
        ({"tables": {"lb1": False}}, "its tables are not in sync with lb1"),
    ],
)
def test_a_standby_that_is_not_fit(changes, why):
    found = decide([LB1, replace(LB2, **changes)], "")
    assert found.objections == (why,)
    assert why in found.text
    assert found.text.endswith("Nothing was changed.")


def test_a_pool_without_servers_anywhere_is_no_reason_to_stay_but_none_to_move():
    none = {"serving": {"gpu1": False, "gpu2": False}}
    assert decide([replace(LB1, pools=none), LB2], "").objections == ()
    assert decide([replace(LB1, pools=none), replace(LB2, pools=none)], "").objections


def test_a_holder_that_cannot_be_read_may_be_left():
    found = decide(
        [Side("lb1", holder=True, trouble="HAProxy does not answer"), replace(LB2, out=("serving/gpu9",))], ""
    )
    assert (found.source, found.objections) == ("lb1", ())


@pytest.mark.parametrize(
    ("sides", "wanted", "why"),
    [
        ([LB1, LB2], "lb3", "there is no balancer 'lb3'; there are lb1, lb2"),
        ([LB1, replace(LB2, holder=True)], "", "it is held by lb1 and lb2"),
        ([replace(LB1, holder=False), LB2], "lb2", "it is held by nobody that can be read"),
        ([Side("lb1", trouble="unreachable"), LB2], "lb2", "lb1 cannot be read (unreachable)"),
    ],
)
def test_there_must_be_one_holder(sides, wanted, why):
    assert why in decide(sides, wanted).text

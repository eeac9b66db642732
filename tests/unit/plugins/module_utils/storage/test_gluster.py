# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What GlusterFS answered is understood; what is no answer is never taken for one."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage.gluster import (
    Backlog,
    Peer,
    parse_answer,
    parse_clients,
    parse_heal,
    parse_peers,
    parse_status,
    parse_volumes,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.module_utils.storage.answers import BRICKS, answer, text


def test_a_volume_and_its_options():
    volume = parse_volumes(answer("whole-info"))["store"]
    assert (volume.started, volume.replica, volume.arbiter) == (True, 3, 0)
    assert tuple(brick.name for brick in volume.bricks) == BRICKS
    assert volume.options["network.ping-timeout"] == "5"


def test_a_cluster_without_volumes():
    assert parse_volumes(answer("none-info")) == {}


def test_peers_that_are_there_and_gone():
    assert parse_peers(answer("gone-peers")) == [
        Peer("111290ce-38d8-4976-8309-4bfec5a0cbe7", ("172.30.42.42",), True, True),
        Peer("f6a3706a-e217-4529-b558-ce757d0f7a10", ("172.30.42.43",), False, True),
    ]


@pytest.mark.parametrize(
    ("name", "online"),
    [("whole", BRICKS), ("gone", BRICKS[:2]), ("lost", ())],
)
def test_which_bricks_run(name, online):
    found = parse_status(answer(f"{name}-status-detail"))
    assert tuple(brick for brick, process in found.items() if process.online) == online
    assert all(process.size > process.free > 0 for process in found.values())


def test_what_is_to_be_healed():
    found = parse_heal(answer("gone-heal-info"))
    assert found[BRICKS[0]] == Backlog(4, ("/", "/b1", "/b2", "/b3"))
    assert found[BRICKS[2]] == Backlog(None), "a brick that is gone cannot say"
    assert {one.entries for one in parse_heal(answer("whole-heal-info")).values()} == {0}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("lost-heal-info", "Not able to fetch volfile"),
        ("lost-set", "Quorum not met. Volume operation not allowed."),
        ("set-bad", "no.such.option does not exist Did you mean"),
        ("probe-dead", "Transport endpoint is not connected"),
    ],
)
def test_a_refusal_says_why(name, reason):
    with pytest.raises(PlatformError, match=reason):
        answer(name)


def test_to_probe_twice_is_no_error():
    assert answer("probe-again").findtext("output") == "Host 172.30.42.42 port 24007 already in peer list"


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Connection failed. Please check if gluster daemon is operational.",
        "<cliOutput/>",
        "<html></html>",
        '<!DOCTYPE x [<!ENTITY a "aaaa">]><cliOutput><opRet>0</opRet></cliOutput>',
    ],
)
def test_what_is_no_answer(said):
    with pytest.raises(Unreadable):
        parse_answer(said, "volume info")


def test_a_brick_that_does_not_run_may_have_no_sizes():
    # Recorded when a new machine had taken a server's place, and its disk was not the brick yet.
    found = parse_status(answer("empty-status-detail"))
    assert (found[BRICKS[0]].online, found[BRICKS[0]].size) == (False, 0)
    assert found[BRICKS[1]].online
    assert found[BRICKS[1]].size > 0


@pytest.mark.parametrize(
    "name", ["whole-info", "whole-peers", "whole-status-detail", "whole-status-clients", "whole-heal-info"]
)
@given(data=st.data())
def test_an_answer_that_is_cut_or_garbled_is_an_error_or_an_answer(name, data):
    whole = text(name)
    at = data.draw(st.integers(0, len(whole) - 1))
    garbled = whole[:at] + data.draw(st.sampled_from(["", "0", "<", "x"])) + whole[at + 1 :]
    for said in (whole[:at], garbled):
        try:
            root = parse_answer(said, name)
            for parse in (parse_volumes, parse_peers, parse_status, parse_clients, parse_heal):
                parse(root)
        except PlatformError:
            pass

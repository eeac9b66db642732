# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A volume comes to be as declared by adding, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Refused
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage.gluster import (
    Peer,
    named,
    parse_peers,
    parse_volumes,
)
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage.volume_plan import (
    Wanted,
    peers_to_probe,
    same,
    steps,
)

from tests.unit.plugins.module_utils.storage.answers import BRICKS, answer

WANTED = Wanted("store", BRICKS, options={"network.ping-timeout": "5", "cluster.quorum-type": "auto"})
FOUND = parse_volumes(answer("whole-info"))["store"]


def test_a_new_volume_has_its_options_before_it_starts():
    assert steps(WANTED, None) == [
        ("create", "store", "replica", "3", *BRICKS),
        ("set", "store", "cluster.quorum-type", "auto"),
        ("set", "store", "network.ping-timeout", "5"),
        ("start", "store"),
    ]


def test_an_arbiter_is_the_last_of_three():
    assert steps(replace(WANTED, arbiter=True), None)[0] == ("create", "store", "replica", "2", "arbiter", "1", *BRICKS)


def test_a_volume_as_declared_is_left_alone():
    assert steps(WANTED, FOUND) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"network.ping-timeout": "7"}, [("set", "store", "network.ping-timeout", "7")]),
        ({"nfs.disable": "true"}, []),
        ({"nfs.disable": "off"}, [("set", "store", "nfs.disable", "off")]),
        ({"auth.allow": "*"}, [("set", "store", "auth.allow", "*")]),
    ],
)
def test_only_options_that_differ_are_set(options, expected):
    assert steps(replace(WANTED, options=options), FOUND) == expected


def test_a_stopped_volume_is_started():
    assert steps(WANTED, replace(FOUND, started=False)) == [("start", "store")]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (replace(WANTED, bricks=(*BRICKS[:2], "172.30.42.44:/srv/brick/store")), r"brick 172.30.42.43.* 172.30.42.44"),
        (replace(WANTED, bricks=(*BRICKS[:2], "172.30.42.43:/srv/b/store")), "no brick is added or removed by itself"),
        (replace(WANTED, arbiter=True), "a volume keeps its kind"),
    ],
)
def test_what_would_take_away_is_refused(wanted, message):
    with pytest.raises(Refused, match=message):
        steps(wanted, FOUND)


@pytest.mark.parametrize("bricks", [(), BRICKS[:2], (*BRICKS, "172.30.42.44:/srv/brick/store"), (BRICKS[0],) * 3])
def test_a_volume_that_no_quorum_decides_for_is_refused(bricks):
    with pytest.raises(Refused, match="three bricks on three servers"):
        replace(WANTED, bricks=bricks).check()
    WANTED.check()


def test_only_unknown_servers_are_probed():
    peers = parse_peers(answer("whole-peers"))
    assert peers_to_probe(WANTED, "172.30.42.41", peers) == []
    assert peers_to_probe(WANTED, "172.30.42.41", peers[:1]) == ["172.30.42.43"]
    assert peers_to_probe(WANTED, "172.30.42.41", []) == ["172.30.42.42", "172.30.42.43"]


def test_a_server_that_is_known_by_another_name_is_not_probed_again():
    peers = [
        Peer(peer.uuid, (f"store{number}.example.org",), True, True)
        for number, peer in enumerate(parse_peers(answer("whole-peers")))
    ]
    assert peers_to_probe(WANTED, "172.30.42.41", named(peers, FOUND)) == []


def test_a_server_that_is_not_declared_is_told():
    stranger = Peer("7", ("172.30.42.49", "store9"), True, True)
    with pytest.raises(Refused, match=r"172\.30\.42\.49/store9"):
        peers_to_probe(WANTED, "172.30.42.41", [stranger])


@pytest.mark.parametrize(
    ("found", "wanted", "expected"),
    [
        ("on", "enable", True),
        ("1", "on", True),
        ("off", "0", True),
        ("on", "off", False),
        (None, "on", False),
        ("5", "5", True),
    ],
)
def test_words_for_on_and_off(found, wanted, expected):
    assert same(found, wanted) is expected

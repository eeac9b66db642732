# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict over a volume: what was recorded from one that was whole, had lost a server, and had lost two."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage.gluster import (
    Backlog,
    Process,
    named,
    parse_clients,
    parse_heal,
    parse_peers,
    parse_status,
    parse_volumes,
)
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage.health import (
    DEGRADED,
    HEALTHY,
    LOST,
    Seen,
    findings,
    pending,
    verdict,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.module_utils.storage.answers import BRICKS, answer


def seen(name):
    """What was recorded."""
    asked = name != "lost"
    return Seen(
        "store",
        parse_volumes(answer(f"{name}-info"))["store"],
        parse_peers(answer(f"{name}-peers")),
        parse_status(answer(f"{name}-status-detail")),
        parse_heal(answer(f"{name}-heal-info")) if asked else None,
        parse_heal(answer(f"{name}-heal-info-split-brain")) if asked else None,
        parse_clients(answer(f"{name}-status-clients")),
    )


def kinds(what, min_free=0.0):
    return [finding.kind for finding in findings(what, min_free)]


@pytest.mark.parametrize(
    ("name", "word", "expected"),
    [
        ("whole", HEALTHY, []),
        ("gone", DEGRADED, ["peer gone", "brick offline", "heal unknown"]),
        (
            "lost",
            LOST,
            [
                "quorum lost",
                "peer gone",
                "peer gone",
                "brick offline",
                "brick offline",
                "brick offline",
                "heal unknown",
            ],
        ),
    ],
)
def test_the_verdict(name, word, expected):
    assert kinds(seen(name)) == expected
    assert verdict(findings(seen(name), 0.0)) == word


def test_no_volume_is_lost():
    assert kinds(replace(seen("whole"), volume=None)) == ["volume missing"]
    assert verdict(findings(replace(seen("whole"), volume=None), 0.0)) == LOST


def test_a_stopped_volume_is_lost():
    whole = seen("whole")
    stopped = replace(whole, volume=replace(whole.volume, started=False), processes={}, backlog=None)
    assert kinds(stopped)[0] == "volume stopped"
    assert verdict(findings(stopped, 0.0)) == LOST


def test_a_server_is_known_by_its_bricks_address():
    # As the others see the one that met them: by what its address resolves to.
    gone = seen("gone")
    lost = next(peer for peer in gone.peers if not peer.connected)
    resolved = replace(lost, names=("store1.example.org",))
    where, said = next(
        (one.where, one.text)
        for one in findings(replace(gone, peers=named([resolved], gone.volume)), 0.0)
        if one.kind == "peer gone"
    )
    assert where == lost.names[0]
    assert said == f"{lost.names[0]}/store1.example.org is not connected"


def test_files_to_be_healed_are_a_finding():
    backlog = {brick: Backlog(number) for number, brick in enumerate(BRICKS)}
    found = findings(replace(seen("whole"), backlog=backlog), 0.0)
    assert [one.text for one in found] == ["2 files are to be healed"]
    assert verdict(found) == DEGRADED


def test_a_split_brain_is_lost_and_names_files():
    split = {BRICKS[0]: Backlog(7, tuple(f"/f{number}" for number in range(7)))}
    found = findings(replace(seen("whole"), split=split), 0.0)
    assert "/f0, /f1, /f2, /f3, /f4 and 2 more" in found[0].text
    assert verdict(found) == LOST


def test_a_client_that_has_lost_a_brick_for_good_is_a_finding():
    # Recorded after the third server had ended its brick for want of a quorum, and begun it again.
    clients = parse_clients(answer("apart-status-clients"))
    found = findings(replace(seen("whole"), clients=clients), 0.0)
    apart = [f"172.30.42.{number}" for number in (11, 21, 23, 43)]
    assert [(one.kind, one.where) for one in found] == [("client apart", client) for client in apart]
    assert f"172.30.42.21 has no connection to brick {BRICKS[2]}" in found[1].text
    assert verdict(found) == DEGRADED


def test_nobody_is_apart_from_a_brick_that_does_not_run():
    clients = {BRICKS[0]: frozenset({"192.0.2.1"}), BRICKS[1]: frozenset()}
    processes = {**seen("whole").processes, BRICKS[1]: Process(False, 0, 0)}
    assert "client apart" not in kinds(replace(seen("whole"), clients=clients, processes=processes))


def test_little_space_is_a_finding():
    processes = {**seen("whole").processes, BRICKS[1]: Process(True, 1000, 99)}
    found = findings(replace(seen("whole"), processes=processes), 0.1)
    assert [(one.kind, one.where) for one in found] == [("space low", BRICKS[1])]
    assert "10% of its file system free" in found[0].text


@given(st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=1, max_size=3))
def test_unknown_is_never_zero(counts):
    backlog = {brick: Backlog(count) for brick, count in zip(BRICKS, counts)}
    assert pending(backlog) == (None if None in counts else max(counts))
    assert pending(None) is None


@given(st.sets(st.sampled_from(BRICKS)))
def test_two_of_three_serve_and_one_does_not(up):
    whole = seen("whole")
    some = replace(whole, processes={name: replace(one, online=name in up) for name, one in whole.processes.items()})
    word = verdict(findings(some, 0.0))
    assert word == (HEALTHY if len(up) == 3 else DEGRADED if len(up) == 2 else LOST)

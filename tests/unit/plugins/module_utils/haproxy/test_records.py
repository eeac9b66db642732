# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's own words, recorded from 2.6 and 3.0, and what must not be believed."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.haproxy.records import (
    Server,
    parse_servers,
    parse_tables,
    parse_workers,
)
from hypothesis import example, given
from hypothesis import strategies as st

FIXTURES = Path(__file__).parent / "fixtures"
VERSIONS = ("2.6", "3.0")


def recorded(version: str, name: str) -> str:
    return (FIXTURES / version / f"{name}.txt").read_text()


def servers(version: str, prefix: str = ""):
    return parse_servers(
        recorded(version, f"{prefix}show_stat_servers"), recorded(version, f"{prefix}show_servers_state")
    )


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("moment", "server", "admin_state", "up", "checks_pass"),
    [
        ("", "gpu1", "ready", True, True),
        ("drain_", "gpu1", "drain", False, True),
        ("maint_", "gpu2", "maint", False, False),
        ("down_", "gpu3", "ready", False, False),
        ("reloaded_old_", "gpu1", "drain", False, True),
        ("reloaded_old_", "gpu2", "ready", False, False),
        ("reloaded_new_", "gpu1", "ready", True, True),
    ],
)
def test_admin_state_and_health(version, moment, server, admin_state, up, checks_pass):
    seen = servers(version, moment)[("serving", server)]
    assert (seen.admin_state, seen.up, seen.checks_pass) == (admin_state, up, checks_pass)


@pytest.mark.parametrize("version", VERSIONS)
def test_up_one_of_two_is_not_up(version):
    """The status text begins with UP all the same, which is what fooled others."""
    falling = parse_servers(
        recorded(version, "falling_show_stat_servers"), recorded(version, "down_show_servers_state")
    )[("serving", "gpu3")]
    assert falling.status.startswith("UP")
    assert not falling.up


@pytest.mark.parametrize("version", VERSIONS)
def test_sessions_are_those_of_the_worker_that_was_asked(version):
    assert servers(version, "reloaded_old_")[("serving", "gpu1")].sessions > 0
    assert servers(version, "reloaded_new_")[("serving", "gpu1")].sessions == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_workers(version):
    assert [worker.current for worker in parse_workers(recorded(version, "show_proc"))] == [True]
    assert [worker.current for worker in parse_workers(recorded(version, "reloaded_show_proc"))] == [True, False]
    assert [worker.current for worker in parse_workers(recorded(version, "reload_failed_show_proc"))] == [True, False]


def test_no_worker_is_an_error():
    with pytest.raises(Unreadable, match="no current worker"):
        parse_workers("#<PID> <type>\n12 master 0\n# workers\n# old workers\n13 worker 1 0d 3.0\n")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("cut", [0, 1, 30, 200, 900])
def test_a_cut_answer_is_an_error_and_never_a_missing_server(version, cut):
    stat, state = recorded(version, "show_stat_servers"), recorded(version, "show_servers_state")
    with pytest.raises(Unreadable):
        parse_servers(stat[: min(cut, len(stat) - 60)], state)
    with pytest.raises(Unreadable):
        parse_servers(stat, state[: min(cut, len(state) - 60)])


@example("0\r0", "")
@given(st.text(), st.text())
def test_garbage_raises_only_our_errors(stat, state):
    for left, right in ((stat, state), ("# " + stat, "1\n# " + state)):
        try:
            parse_servers(left, right)
        except PlatformError:
            pass
    try:
        parse_workers(stat)
    except PlatformError:
        pass


COUNTED = Server(
    backend="serving", name="gpu1", address="192.0.2.1:8000", admin=0, weight=100, initial_weight=100, status="UP",
    check_status="L7OK", check_health=4, check_rise=2, check_fall=3, sessions=1, queue=0, last_change=9, check_downs=2,
    total=1000, responses_5xx=5, connect_errors=3, response_errors=1, queue_ms=7, response_ms=120,
)  # fmt: skip


def test_counters_say_which_worker_counted():
    assert COUNTED.errors == 9
    assert COUNTED.counters(20) == {
        "worker": 20,
        "requests": 1000,
        "errors": 9,
        "downs": 2,
        "response_ms": 120,
        "queue_ms": 7,
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_counters_are_numbers(version):
    for server in servers(version).values():
        assert all(isinstance(value, int) and value >= 0 for value in server.counters(1).values())


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_peers_share_tables_or_do_not(version):
    """lb2 ran beside the one that was asked, lb3 did not."""
    assert parse_tables(recorded(version, "show_peers")) == {"lb2": True, "lb3": False}


def test_a_balancer_without_peers_has_none():
    assert parse_tables("\n") == {}

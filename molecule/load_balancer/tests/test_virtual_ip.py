# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One virtual IP, one holder, and a short gap when the holder goes."""

from __future__ import annotations

import time

import pytest

from .conftest import Balancer, Pair, complete, eventually, longest_gap

ADVERT = 0.2
# Three missed advertisements, the standby's skew (RFC 5798, 6.1; at most one interval), and what a busy machine adds.
TAKEOVER = 3 * ADVERT + ADVERT + 0.2


def one_holder(pair: Pair) -> bool:
    """Whether exactly one balancer has the address."""
    return sum(balancer.holds(pair.virtual_ip) for balancer in pair.balancers) == 1


def ready(balancer: Balancer) -> bool:
    """Whether keepalived would take the address, or has it: a balancer that was faulty proves itself first."""
    log = balancer.run("journalctl", "--unit=keepalived", "--output=cat").stdout
    states = [line for line in log.splitlines() if "(platform) Entering" in line]
    return bool(states) and "FAULT" not in states[-1]


@pytest.fixture(autouse=True)
def _both_ready(pair: Pair) -> None:
    eventually(lambda: one_holder(pair) and all(ready(balancer) for balancer in pair.balancers), "both are ready")


@pytest.mark.parametrize("turn", [1, 2])
def test_the_standby_takes_over_from_a_dead_holder(pair: Pair, turn: int) -> None:
    """Twice, so that it goes there and back."""
    holder, standby = pair.holder(), pair.standby()
    with pair.watched() as good:
        pair.lab.kill(holder.name)
        eventually(lambda: standby.holds(pair.virtual_ip), "the standby has the virtual IP")
        time.sleep(0.5)
    try:
        assert longest_gap(good) < TAKEOVER
    finally:
        pair.lab.start(holder.name)
        eventually(
            lambda: holder.run("systemctl", "is-active", "haproxy", "keepalived", check=False).returncode == 0,
            "it is back",
        )
    # The address does not come back by itself: nothing is gained by moving it a second time.
    time.sleep(2)
    assert pair.holder() is standby


def test_a_crash_of_haproxy_is_over_before_the_virtual_ip_moves(pair: Pair) -> None:
    holder = pair.holder()
    with pair.watched() as good:
        holder.run("systemctl", "kill", "--signal=KILL", "haproxy")
        time.sleep(3)
    assert longest_gap(good) < 1
    assert pair.holder() is holder


def test_a_hanging_haproxy_loses_the_virtual_ip(pair: Pair) -> None:
    holder, standby = pair.holder(), pair.standby()
    holder.run("systemctl", "kill", "--signal=STOP", "haproxy")
    try:
        # Two questions, a second apart, of a second each, and the handover.
        eventually(lambda: standby.holds(pair.virtual_ip), "the standby has the virtual IP", 5)
        assert complete(pair.virtual_ip)[0] == 200
    finally:
        holder.run("systemctl", "kill", "--signal=CONT", "haproxy")
    eventually(lambda: one_holder(pair), "one holder")


def test_a_crash_of_keepalived_leaves_one_holder(pair: Pair) -> None:
    with pair.watched() as good:
        pair.holder().run("systemctl", "kill", "--signal=KILL", "keepalived")
        time.sleep(3)
    assert longest_gap(good) < TAKEOVER
    assert one_holder(pair)


def test_a_reload_of_keepalived_keeps_the_virtual_ip(pair: Pair) -> None:
    holder = pair.holder()
    with pair.watched() as good:
        holder.run("systemctl", "reload", "keepalived")
        time.sleep(2)
    assert longest_gap(good) < 3 * ADVERT
    assert pair.holder() is holder


def test_a_stopped_holder_hands_over_at_once(pair: Pair) -> None:
    holder, standby = pair.holder(), pair.standby()
    with pair.watched() as good:
        holder.run("systemctl", "stop", "keepalived")
        eventually(lambda: standby.holds(pair.virtual_ip), "the standby has the virtual IP")
        time.sleep(0.5)
    holder.run("systemctl", "start", "keepalived")
    assert longest_gap(good) < 3 * ADVERT

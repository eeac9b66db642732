# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts die while a rollout needs them: nodes, balancers, ledger hosts."""

from __future__ import annotations

import time

import pytest

from tests.chaos import clock, story
from tests.chaos.controller import Controller

NODE_DIES = ("draining 1", "changing 1", "baking 1")
BALANCER_DIES = ("draining 1", "changing 1", "admitting 1", "baking 1")
LEDGER = "/var/lib/steadfast/ledger/serving"
FULL = f"mount -t tmpfs -o size=32k none {LEDGER} && dd if=/dev/zero of={LEDGER}/filler bs=1k count=64; df {LEDGER}"


@pytest.mark.whole
@pytest.mark.parametrize("transition", NODE_DIES)
def test_a_node_that_dies_is_quarantined_and_the_rollout_stops(lab, nodes, way, tmp_path, transition):
    with Controller(lab, tmp_path / "run", *story.DEPLOY, *story.to(way), "-e", "healthy_deadline=20") as run:
        assert run.reaches(transition), run.output()[-3000:]
        lab.kill("gpu1")
        assert run.end() != 0
    assert "gpu1 did not come back and needs you" in run.last_line(), run.last_line()
    assert {entry.split()[0] for entry in story.out_of_traffic(lab)} == {"gpu1"}
    assert set(story.releases(lab, nodes[1:])) == {way.here}


@pytest.mark.parametrize("transition", BALANCER_DIES if story.WHOLE else BALANCER_DIES[2:3])
@pytest.mark.parametrize("balancer", story.BALANCERS if story.WHOLE else story.BALANCERS[1:])
def test_a_balancer_that_dies_stops_the_rollout_before_the_next_drain(lab, nodes, way, tmp_path, transition, balancer):
    standby = lab.holder() != balancer
    with story.load(lab, tmp_path) as load:
        with Controller(lab, tmp_path / "run", *story.DEPLOY, *story.to(way)) as run:
            assert run.reaches(transition), run.output()[-3000:]
            lab.kill(balancer)
            assert run.end() != 0
        result = load.stop()
    assert balancer in run.last_line(), run.last_line()
    assert "draining 2" not in run.transitions()
    if standby:
        assert story.lost(result) == (0, 0), story.samples(result)
    lab.start(balancer)
    # What the balancer had drained when it died comes back by its own timer, with proof.
    assert story.settled(lab, 90) == []


@pytest.mark.whole
def test_a_balancer_that_comes_back_in_a_rollout_takes_its_drains_from_the_ledger(lab, nodes, way, tmp_path):
    lab.kill("lb2")
    with story.load(lab, tmp_path, streams=6, stream_seconds=(25.0, 30.0)) as load:
        without = ("-e", "balancers_excluded=lb2", "-e", "bake_time=12")
        with Controller(lab, tmp_path / "run", *story.DEPLOY, *story.to(way), *without) as run:
            assert run.reaches("baking 1"), run.output()[-3000:]
            lab.start("lb2")
            assert run.reaches("draining 2"), run.output()[-3000:]

            def held(_run):
                # Its timer's turn, which comes every 10 s.
                lab.exec("lb2", ["systemctl", "start", "steadfast-deadman.service"], check=False)
                return any(entry.startswith("gpu2 at lb2") for entry in story.out_of_traffic(lab))

            assert run.until(held), run.output()[-3000:]
            assert "baking 2" not in run.transitions()
            assert run.end() == 0, run.output()[-3000:]
        result = load.stop()
    assert story.lost(result) == (0, 0), story.samples(result)
    assert set(story.releases(lab, nodes)) == {way.there}
    assert story.settled(lab) == []


@pytest.mark.whole
def test_a_ledger_host_that_is_gone_does_not_stop_a_rollout_and_is_repaired(lab, nodes, way, tmp_path):
    lab.kill("witness1")
    with Controller(lab, tmp_path / "run", *story.DEPLOY, *story.to(way)) as run:
        assert run.end() == 0, run.output()[-3000:]
    lab.start("witness1")
    with Controller(lab, tmp_path / "back", *story.ROLLBACK, *story.QUICK) as back:
        assert back.end() == 0, back.output()[-3000:]
    journals = {host: lab.exec(host, ["cat", f"{LEDGER}/journal"]).stdout for host in (*story.BALANCERS, "witness1")}
    assert len(set(journals.values())) == 1


@pytest.fixture(params=["its disk is full", "it is cut off from the others"])
def ailing_witness(request, lab):
    """A ledger host that the controller reaches, and that cannot do its part or cannot be reached by the others."""
    full = request.param == "its disk is full"
    ill, well = (FULL, f"umount {LEDGER}") if full else ("ip link set eth0 down", "ip link set eth0 up")
    done = lab.exec("witness1", ["sh", "-c", ill])
    assert "100%" in done.stdout or not full
    yield request.param
    lab.exec("witness1", ["sh", "-c", well])


@pytest.mark.whole
def test_an_ailing_ledger_host_does_not_stop_a_rollout(lab, nodes, way, tmp_path, ailing_witness):
    with story.load(lab, tmp_path) as load:
        with Controller(lab, tmp_path / "run", *story.DEPLOY, *story.to(way)) as run:
            assert run.end() == 0, run.output()[-3000:]
        result = load.stop()
    assert story.lost(result) == (0, 0), story.samples(result)
    assert set(story.releases(lab, nodes)) == {way.there}


@pytest.mark.whole
def test_wrong_clocks_change_nothing(lab, nodes, way, tmp_path):
    with (
        clock.off(lab, "gpu1", 3600),
        clock.off(lab, "lb2", -3600),
        clock.off(lab, "witness1", 7200),
        story.load(lab, tmp_path) as load,
    ):
        with Controller(lab, tmp_path / "first", *story.DEPLOY, *story.to(way)) as first:
            assert first.reaches("admitting 1"), first.output()[-3000:]
        # The lease's last seconds, by the hosts' own uptime.
        time.sleep(16)
        with Controller(lab, tmp_path / "next", *story.DEPLOY, "-e", "action=resume", *story.QUICK) as following:
            assert following.end() == 0, following.output()[-3000:]
        result = load.stop()
    assert story.lost(result) == (0, 0), story.samples(result)
    assert set(story.releases(lab, nodes)) == {way.there}
    assert story.settled(lab) == []


@pytest.mark.whole
def test_two_ledger_hosts_gone_is_refused_before_anything_is_changed(lab, nodes, way, tmp_path):
    for host in ("witness1", "lb1"):
        lab.exec(host, ["mv", LEDGER, f"{LEDGER}.away"])
        lab.exec(host, ["touch", LEDGER])
    try:
        with Controller(lab, tmp_path / "run", *story.DEPLOY, *story.to(way)) as run:
            assert run.end() != 0
        assert "1 of 3 ledger hosts can be read, 2 are needed" in run.last_line(), run.last_line()
        assert set(story.releases(lab, nodes)) == {way.here}
    finally:
        for host in ("witness1", "lb1"):
            lab.exec(host, ["rm", LEDGER])
            lab.exec(host, ["mv", f"{LEDGER}.away", LEDGER])


@pytest.mark.whole
def test_haproxy_reloaded_by_hand_in_the_middle_of_a_drain(lab, nodes, way, tmp_path):
    with story.load(lab, tmp_path) as load:
        with Controller(lab, tmp_path / "run", *story.DEPLOY, *story.to(way)) as run:
            for batch in (1, 2):
                assert run.reaches(f"draining {batch}"), run.output()[-3000:]
                for balancer in story.BALANCERS:
                    lab.exec(balancer, ["systemctl", "reload", "haproxy"])
            assert run.end() == 0, run.output()[-3000:]
        result = load.stop()
    assert story.lost(result) == (0, 0), story.samples(result)
    assert set(story.releases(lab, nodes)) == {way.there}

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reloads, crashes and mistakes: no drain is forgotten, no request is lost, no bad configuration gets in."""

from __future__ import annotations

import http.client
import threading
import time

from tests.lab.pair import Balancer, Pair, complete, eventually, on, stream

from .conftest import converge

DRAIN = 8
STATE = "/var/lib/haproxy/server-state"


def alive(balancer: Balancer) -> bool:
    """Whether HAProxy answers."""
    try:
        return complete(balancer.address, timeout=1)[0] == 200
    except OSError:
        return False


def test_a_drain_survives_everything(balancer: Balancer) -> None:
    balancer.ask("@1 set server serving/gpu2 state drain")
    balancer.ask("@1 set server serving/gpu3 weight 40")
    balancer.run("systemctl", "reload", "haproxy")
    assert balancer.admin("gpu2") == DRAIN
    assert "40 (initial 100)" in balancer.ask("@1 get weight serving/gpu3")

    balancer.run("systemctl", "kill", "--signal=KILL", "haproxy")
    eventually(lambda: alive(balancer), "HAProxy is back after kill -9")
    assert balancer.admin("gpu2") == DRAIN

    before = balancer.workers()[0]
    balancer.run("systemctl", "kill", "--signal=USR2", "--kill-who=main", "haproxy")
    eventually(lambda: balancer.workers()[0] != before, "the new worker serves")
    assert balancer.admin("gpu2") == DRAIN

    balancer.run("systemctl", "restart", "haproxy")
    assert balancer.admin("gpu2") == DRAIN
    assert balancer.served(20)["gpu2"] == 0


def test_a_restart_keeps_what_was_set_since_the_last_reload(balancer: Balancer) -> None:
    balancer.ask("@1 set server serving/gpu1 state maint")
    balancer.run("systemctl", "restart", "haproxy")
    assert balancer.admin("gpu1") == 1


def test_an_old_worker_can_be_told_to_drain(balancer: Balancer) -> None:
    kept = http.client.HTTPConnection(balancer.address, 8080, timeout=10)
    assert on(kept)[0] == 200
    balancer.run("systemctl", "reload", "haproxy")
    old = balancer.workers()[1]
    assert "disabled" in balancer.ask(f"@!{old} set server serving/gpu1 state drain")
    for server in ("gpu1", "gpu2"):
        assert balancer.ask(f"@!{old} steadfast drain serving {server}").strip() == ""
        assert balancer.admin(server, f"@!{old}") == DRAIN
    # The kept connection is still the old worker's: its next request must go to the only server left.
    assert on(kept) == (200, "gpu3")
    eventually(lambda: old not in balancer.workers(), "the old worker ends with its last connection")
    assert balancer.ask("@1 steadfast drain serving gpu9").strip() == "No such server."
    assert balancer.ask("@1 steadfast drain nowhere gpu1").strip() == "No such backend."


def test_no_request_is_lost_in_twenty_reloads(balancer: Balancer) -> None:
    over = threading.Event()
    fates: list[int | str] = []

    def client() -> None:
        connection = http.client.HTTPConnection(balancer.address, 8080, timeout=10)
        while not over.is_set():
            try:
                fates.append(on(connection)[0])
            except (OSError, http.client.HTTPException) as error:
                fates.append(repr(error))
                connection.close()
            time.sleep(0.02)

    threads = [threading.Thread(target=client) for _turn in range(6)]
    for thread in threads:
        thread.start()
    for _turn in range(20):
        balancer.run("systemctl", "reload", "haproxy")
    over.set()
    for thread in threads:
        thread.join()
    assert len(fates) > 200
    assert set(fates) == {200}, [fate for fate in fates if fate != 200]


def test_a_stream_lives_through_reloads(balancer: Balancer) -> None:
    with stream(balancer.address) as answer:
        text = answer.read(200)
        for _turn in range(3):
            balancer.run("systemctl", "reload", "haproxy")
        text += answer.read()
    assert text.rstrip().endswith(b"[DONE]")


def test_a_good_state_file_outlives_a_silent_haproxy(balancer: Balancer) -> None:
    balancer.run("systemctl", "reload", "haproxy")
    before = balancer.run("cat", STATE).stdout
    helper = "/usr/local/libexec/steadfast/haproxy_handover.py"
    done = balancer.run("python3", helper, "save", "/run/none.sock", "/etc/haproxy/haproxy.cfg", STATE, check=False)
    assert done.returncode == 1
    assert "haproxy_handover save" in done.stderr
    assert balancer.run("cat", STATE).stdout == before
    assert "gpu3" in before


def test_a_reload_that_cannot_succeed_is_reported(balancer: Balancer) -> None:
    """`haproxy -c` says yes to a port that is taken; the new worker cannot bind it."""
    taken = "frontend taken\n  bind 127.0.0.1:9\n"
    balancer.run("cp", "/etc/haproxy/haproxy.cfg", "/etc/haproxy/haproxy.cfg.good")
    balancer.run("systemd-run", "--unit=taker", "python3", "-c",
                 "import socket, time; s = socket.create_server(('127.0.0.1', 9)); time.sleep(60)")  # fmt: skip
    try:
        balancer.run("sh", "-c", f"printf '{taken}' >> /etc/haproxy/haproxy.cfg")
        assert balancer.run("systemctl", "reload", "haproxy", check=False).returncode == 1
        assert alive(balancer)
    finally:
        balancer.run("cp", "/etc/haproxy/haproxy.cfg.good", "/etc/haproxy/haproxy.cfg")
        balancer.run("systemctl", "stop", "taker")
        balancer.run("systemctl", "reload", "haproxy")


def test_a_moved_port_is_taken_over(balancer: Balancer, pair: Pair) -> None:
    """HAProxy would keep the old port from the state file."""
    config = "/etc/haproxy/haproxy.cfg"
    balancer.run("sed", "--in-place=.good", "-E", "s/^( +server gpu1 [0-9.]+:)8000/\\19999/", config)
    try:
        balancer.run("systemctl", "reload", "haproxy")
        assert " - 9999 - " in next(
            line for line in balancer.ask("@1 show servers state serving").splitlines() if " gpu1 " in line
        )
    finally:
        balancer.run("mv", f"{config}.good", config)
        balancer.run("systemctl", "reload", "haproxy")


def test_a_bad_configuration_never_replaces_a_good_one(pair: Pair) -> None:
    before = {balancer.name: balancer.run("cat", "/etc/haproxy/haproxy.cfg").stdout for balancer in pair.balancers}
    done = converge(pair, load_balancer_balance="no-such-algorithm")
    assert done.returncode != 0
    assert "failed to validate" in done.stdout
    assert "balance only supports" in done.stdout
    for balancer in pair.balancers:
        assert balancer.run("cat", "/etc/haproxy/haproxy.cfg").stdout == before[balancer.name]
        assert alive(balancer)


def test_a_bad_certificate_never_replaces_a_good_one(pair: Pair) -> None:
    spoiled = "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n"
    done = converge(pair, load_balancer_tls_certificate=spoiled)
    assert done.returncode != 0
    assert "unable to load" in done.stdout
    for balancer in pair.balancers:
        balancer.run("systemctl", "reload", "haproxy")
        assert complete(balancer.address)[0] == 200


def test_a_run_cut_off_before_the_reload_is_made_good(pair: Pair) -> None:
    balancer = pair.balancers[0]
    balancer.run("sh", "-c", "echo '# not loaded' >> /run/haproxy.loaded.cfg")
    before = balancer.workers()[0]
    done = converge(pair, "--limit", balancer.name)
    assert done.returncode == 0, done.stdout
    assert balancer.workers()[0] != before


def test_check_mode_on_a_running_pair_changes_nothing(pair: Pair) -> None:
    # The bad certificate above is gone again with this.
    assert converge(pair).returncode == 0
    workers = [balancer.workers() for balancer in pair.balancers]
    done = converge(pair, "--check", "--diff")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("changed=0") == len(pair.balancers)
    assert [balancer.workers() for balancer in pair.balancers] == workers

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon is asked in words that it knows; what it cannot say is unknown, and what is no answer is an error."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import (
    DeadlineExceeded,
    PlatformError,
    Unreadable,
)
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage.gluster_client import Gluster
from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage.health import findings, verdict

from tests.unit.plugins.module_utils.storage.answers import text

ANSWERS = {
    "volume info": "info",
    "peer status": "peers",
    "volume status store detail": "status-detail",
    "volume status store clients": "status-clients",
    "volume heal store info": "heal-info",
    "volume heal store info split-brain": "heal-info-split-brain",
}


class Daemon:
    """Answers as it was recorded, and remembers what it was asked."""

    def __init__(self, name):
        self.name = name
        self.asked = []

    def __call__(self, argv):
        assert argv[:4] == ["gluster", "--mode=script", "--xml", "--timeout=60"]
        words = " ".join(argv[4:])
        self.asked.append(words)
        name = ANSWERS[words]
        # Nobody could say which files are in split-brain either.
        recorded = "lost-heal-info" if self.name == "lost" and name.startswith("heal") else f"{self.name}-{name}"
        return 0, text(recorded), ""


@pytest.mark.parametrize(("name", "word"), [("whole", "healthy"), ("gone", "degraded"), ("lost", "lost")])
def test_all_that_a_verdict_needs(name, word):
    daemon = Daemon(name)
    seen = Gluster(daemon).look("store")
    assert sorted(daemon.asked) == sorted(ANSWERS)
    assert verdict(findings(seen, 0.0)) == word
    assert (seen.backlog is None) is (name == "lost")


def test_a_volume_that_is_not_there_is_asked_nothing_more():
    daemon = Daemon("whole")
    assert Gluster(daemon).look("other").volume is None
    assert sorted(daemon.asked) == ["peer status", "volume info"]


def test_a_daemon_that_does_not_run_is_told():
    def dead(_argv):
        return 1, "Connection failed. Please check if gluster daemon is operational.\n", ""

    with pytest.raises(Unreadable, match="Is glusterd running"):
        Gluster(dead).peers()


def test_healing_that_never_begins_is_told():
    def refuses(_argv):
        return 1, "Launching heal operation failed on: Quorum not met.\n", ""

    with pytest.raises(DeadlineExceeded, match=r"does not begin to heal within 0 s: .*Quorum not met"):
        Gluster(refuses, timeout=0).heal("store")


def test_a_server_that_does_not_join_is_told():
    def alone(argv):
        return 0, text("probe-again" if "probe" in argv else "whole-peers"), ""

    with pytest.raises(DeadlineExceeded, match=r"172.30.42.49 did not join within 0 s"):
        Gluster(alone, timeout=0).probe("172.30.42.49")
    Gluster(alone, timeout=0).probe("172.30.42.43")


def test_a_server_that_has_just_joined_is_given_time_to_learn_the_volumes(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    answers = iter(["none-info", "whole-peers", "none-info", "whole-peers", "whole-info"])
    volume = Gluster(lambda _argv: (0, text(next(answers)), "")).learned("store")
    assert volume is not None
    assert volume.name == "store"


def test_a_server_without_a_cluster_has_nothing_to_wait_for():
    alone = text("whole-peers").partition("<peer>")[0] + "</peerStatus></cliOutput>"
    answers = iter([text("none-info"), alone])
    assert Gluster(lambda _argv: (0, next(answers), "")).learned("store") is None


def test_members_are_awaited(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    answers = iter(["gone-peers", "gone-peers", "whole-peers"])
    Gluster(lambda _argv: (0, text(next(answers)), "")).await_members(["172.30.42.42", "172.30.42.43"])
    with pytest.raises(DeadlineExceeded, match=r"192\.0\.2\.9 did not join within 0 s"):
        Gluster(lambda _argv: (0, text("whole-peers"), ""), timeout=0).await_members(["192.0.2.9"])


def test_a_cluster_that_is_busy_is_asked_again(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    busy = (
        text("probe-dead").partition("<opErrstr>")[0] + "<opErrstr>Locking failed on 192.0.2.1</opErrstr></cliOutput>"
    )
    answers = iter([busy, busy, text("whole-peers")])
    assert len(Gluster(lambda _argv: (0, next(answers), "")).peers()) == 2
    with pytest.raises(PlatformError, match="Locking failed"):
        Gluster(lambda _argv: (0, busy, ""), timeout=0).peers()

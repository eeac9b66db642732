# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual IP moves on purpose: only to a balancer that is fit, and hardly noticed."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.chaos import story
from tests.lab.pair import Balancer, Pair, eventually

FAILOVER, REHEARSE = "playbooks/failover.yml", "playbooks/rehearse_failover.yml"
# There and back: ten rounds are twenty moves.
ROUNDS = 10 if story.WHOLE else 1
MOVE = re.compile(
    r"(lb\d) -> (lb\d): longest gap ([\d.]+) s, (\d+) requests, (\d+) without an answer, "
    r"(\d+) of them without a connection(.*)"
)


def test_it_moves_and_comes_back(pair: Pair, note) -> None:
    holder, standby = pair.holder(), pair.standby()
    check = pair.lab.playbook(FAILOVER, "--check")
    assert check.returncode == 0, check.stdout
    assert f"moves from {holder.name} to {standby.name}" in check.stdout
    assert pair.holder() is holder
    there = pair.lab.playbook(FAILOVER, "-e", "reason=story-4711")
    assert there.returncode == 0, there.stdout[-2000:]
    assert pair.holder() is standby
    # What was done is in the journal of the one that gave it away.
    assert (
        "story-4711" in holder.run("journalctl", f"--unit=steadfast-handover-{pair.virtual_ip}", "--since=-1min").stdout
    )
    eventually(lambda: pair.lab.playbook(FAILOVER, "-e", f"to={holder.name}", "--check").returncode == 0, "it is fit")
    back = pair.lab.playbook(FAILOVER, "-e", f"to={holder.name}")
    assert back.returncode == 0, back.stdout[-2000:]
    assert pair.holder() is holder
    again = pair.lab.playbook(FAILOVER, "-e", f"to={holder.name}")
    assert "nothing to do" in again.stdout
    assert "changed=0" in again.stdout
    note(moves=[found.groups() for found in map(MOVE.search, (there.stdout, back.stdout)) if found])


def test_a_rehearsal_leaves_it_where_it_was(pair: Pair, note) -> None:
    holder = pair.holder()
    done = pair.lab.playbook(REHEARSE, "-e", f"rounds={ROUNDS}", "-e", "rate=100")
    assert done.returncode == 0, done.stdout[-3000:]
    moves = MOVE.findall(done.stdout.split("TASK [Show what was done]")[0])
    note(moves=moves)
    assert len(moves) == 2 * ROUNDS
    for _source, _target, gap, _requests, _unanswered, unconnected, _problems in moves:
        assert int(unconnected) == 0, "\n".join(map(" ".join, moves))
        # Nobody had to send a packet again; what it is on a quiet machine is in docs/reliability.md.
        assert float(gap) < 1, moves
    assert pair.holder() is holder


Act = Callable[[Balancer], object]


def server(word: str) -> Act:
    return lambda balancer: balancer.ask(f"@1 set server serving/gpu1 state {word}")


def systemctl(word: str) -> Act:
    return lambda balancer: balancer.run("systemctl", word, "keepalived")


@pytest.mark.parametrize(
    ("spoil", "mend", "why"),
    [
        (server("drain"), server("ready"), "pool serving has 3 of 3 servers UP at .*, but 2 at"),
        (systemctl("stop"), systemctl("start"), "keepalived on .* is STOP, not BACKUP"),
    ],
    ids=["a server is drained there", "keepalived is stopped there"],
)
def test_a_standby_that_is_not_fit_is_refused(pair: Pair, spoil: Act, mend: Act, why: str) -> None:
    holder, standby = pair.holder(), pair.standby()
    spoil(standby)
    try:
        done = pair.lab.playbook(FAILOVER)
        assert done.returncode != 0
        assert re.search(why, done.stdout), done.stdout
        assert "Nothing was changed." in done.stdout
        assert pair.holder() is holder
    finally:
        mend(standby)


def test_an_unknown_balancer_is_refused(pair: Pair) -> None:
    done = pair.lab.playbook(FAILOVER, "-e", "to=lb9")
    assert done.returncode != 0
    assert "there is no balancer 'lb9'; there are lb1, lb2" in done.stdout

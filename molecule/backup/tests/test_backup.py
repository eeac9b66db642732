# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was saved comes back, from any place that is left, and what it replaces is not lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.containers import Lab

PLACES = ("/var/backups/first", "/var/backups/second")
STATE = "/var/lib/steadfast/ledger/serving/journal"
REPOSITORIES = '{"backup_repositories": ["/var/backups/first", "/var/backups/second"]}'


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.from_env()


@pytest.fixture(params=["lb1", "lb2"], ids=["trixie", "bookworm"])
def host(request: pytest.FixtureRequest, lab: Lab) -> Iterator[str]:
    """A host with a snapshot of one state, and another state since."""
    name = str(request.param)
    write(lab, name, "saved")
    lab.exec(name, ["systemctl", "start", "steadfast-backup@0.service", "steadfast-backup@1.service"])
    write(lab, name, "newer")
    yield name
    lab.exec(name, ["rm", "-rf", "/var/lib/steadfast/ledger"])


def write(lab: Lab, host: str, text: str) -> None:
    lab.exec(host, ["sh", "-c", f"mkdir -p $(dirname {STATE}) && echo {text} > {STATE}"])


def read(lab: Lab, host: str) -> str:
    return lab.exec(host, ["cat", STATE]).stdout.strip()


def restore(lab: Lab, host: str, *more: str) -> tuple[bool, str]:
    done = lab.playbook("playbooks/restore.yml", "-e", f"host={host}", "-e", REPOSITORIES, *more)
    return done.returncode == 0, " ".join(done.stdout.split())


def restic(lab: Lab, host: str, place: int, words: str) -> str:
    """What restic answers about one place."""
    body = f"set -a && . /etc/steadfast/backup/{place}.env && restic {words}"
    return lab.exec(host, ["sh", "-c", body]).stdout


def test_a_state_comes_back_and_the_one_before_is_saved(lab: Lab, host: str) -> None:
    fine, said = restore(lab, host, "--check")
    assert fine, said[-1500:]
    assert "gets snapshot" in said
    assert read(lab, host) == "newer"
    fine, said = restore(lab, host)
    assert fine, said[-1500:]
    assert read(lab, host) == "saved"
    assert restic(lab, host, 0, f"dump --tag before-restore latest {STATE}").strip() == "newer"
    # Once more: what was saved before a restore is not the latest snapshot.
    assert restore(lab, host)[0]
    assert read(lab, host) == "saved"


def test_another_place_serves_when_the_first_is_lost(lab: Lab, host: str) -> None:
    lab.exec(host, ["mv", PLACES[0], f"{PLACES[0]}.lost"])
    try:
        fine, said = restore(lab, host)
        assert fine, said[-1500:]
        assert f"from {PLACES[1]}/{host}" in said
        assert read(lab, host) == "saved"
        # A place that is away fails alone, and says so.
        started = lab.exec(host, ["systemctl", "start", "steadfast-backup@0.service"], check=False)
        assert started.returncode != 0
        lab.exec(host, ["systemctl", "start", "steadfast-backup@1.service"])
    finally:
        lab.exec(host, ["mv", f"{PLACES[0]}.lost", PLACES[0]])
        lab.exec(host, ["systemctl", "reset-failed"])


def test_snapshots_are_whole_few_and_taken_on_schedule(lab: Lab, host: str) -> None:
    for _each in range(6):
        lab.exec(host, ["systemctl", "start", "steadfast-backup@0.service"])
    listed = restic(lab, host, 0, "snapshots --tag scheduled --json")
    # The last four, all of this hour.
    assert 4 <= listed.count('"tree"') <= 6, listed
    restic(lab, host, 0, "check --read-data")
    for place in range(2):
        due = lab.exec(host, ["systemctl", "show", f"steadfast-backup@{place}.timer", "-P", "NextElapseUSecRealtime"])
        assert due.stdout.strip()


def test_what_cannot_be_restored_is_refused(lab: Lab) -> None:
    for host, more, expected in (
        ("nobody", (), "There is no host 'nobody'"),
        ("witness1", ("-e", "snapshot=abcdef12"), "No place has snapshot abcdef12 of witness1"),
        ("witness1", ("-e", "place=7"), "none was asked"),
    ):
        fine, said = restore(lab, host, *more)
        assert not fine
        assert expected in said
        assert "Nothing was changed" in said


def test_another_password_does_not_make_another_repository(lab: Lab) -> None:
    done = lab.playbook("molecule/backup/converge.yml", "--limit", "witness1", "-e", "backup_password=some-other-words")
    assert done.returncode != 0
    assert "wrong password" in done.stdout
    lab.exec("witness1", ["systemctl", "start", "steadfast-backup@0.service"])


def test_a_lease_and_the_stores_manifests_are_among_what_is_saved(lab: Lab) -> None:
    host, manifest = "witness1", "/srv/store/tiny/r1/manifest.json"
    taken = {"pool": "other", "action": "take", "owner": "alice@ops1 4711", "run": "r", "fence": 7}
    lab.module(host, "steadfast.ai_platform.rollout_ledger", taken)
    lab.exec(host, ["sh", "-c", f"mkdir -p $(dirname {manifest}) && echo '{{}}' > {manifest}"])
    lab.exec(host, ["systemctl", "start", "steadfast-backup@0.service"])
    lab.exec(host, ["rm", "-rf", "/var/lib/steadfast", "/srv/store"])
    fine, said = restore(lab, host)
    assert fine, said[-1500:]
    lease = lab.module(host, "steadfast.ai_platform.rollout_ledger_info", {"pool": "other"})["lease"]
    assert (lease["owner"], lease["fence"]) == ("alice@ops1 4711", 7)
    assert lab.exec(host, ["cat", manifest]).stdout == "{}\n"
    lab.exec(host, ["rm", "-rf", "/srv/store"])

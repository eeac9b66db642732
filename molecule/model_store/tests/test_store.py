# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models arrive once, verified, and outlive any server: what clients of the store notice, and what never happens."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import story
from tests.lab import certificate
from tests.lab.containers import Lab
from tests.lab.pair import eventually
from tests.lab.settings import LabError

CLIENT = (Path(__file__).parents[3] / "tests" / "lab" / "store_client.py").read_text(encoding="utf-8")
RESULTS = Path(__file__).parents[3] / "build" / "store.jsonl"
STORES = ("store1", "store2", "store3")
# Seconds, as the lab's inventory has it.
PING_TIMEOUT = 3
# At which a publisher is killed, over the second half of its work.
MOMENTS = 10 if story.WHOLE else 4
STORE, CACHE = "/srv/store", "/srv/models/cache"


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.from_env()


def module(lab: Lab, host: str, called: str, /, **arguments: Any) -> dict[str, Any]:
    """One module's answer on one host."""
    return lab.module(host, f"steadfast.ai_platform.{called}", arguments)


def health(lab: Lab, host: str = "store1") -> dict[str, Any]:
    return module(lab, host, "gluster_health_info", volume="store", min_free=0)


@pytest.fixture(autouse=True)
def _whole(lab: Lab) -> None:
    """Every case begins and ends with a healthy store."""
    eventually(lambda: health(lab)["verdict"] == "healthy", "the store is healthy", 120)


def work(lab: Lab, host: str, folder: str, seconds: float) -> dict[str, Any]:
    """What a client of the store met, working for so many seconds."""
    done = lab.exec(host, ["python3", "-c", CLIENT, folder, str(seconds)])
    return dict(json.loads(done.stdout))


def is_read(lab: Lab, host: str) -> bool:
    return not lab.exec(host, ["ls", f"{STORE}/tiny"], check=False).returncode


@contextlib.contextmanager
def working(lab: Lab, host: str, folder: str) -> Iterator[None]:
    """A client works meanwhile, and meets nothing."""
    with ThreadPoolExecutor(1) as threads:
        client = threads.submit(work, lab, host, folder, 600)
        try:
            yield
        finally:
            lab.exec(host, ["pkill", "-TERM", "--full", f"{folder} 600"], check=False)
        met = client.result()
    note(folder, met)
    assert met["operations"] > 0
    assert (met["failed"], met["wrong"]) == (0, []), met["errors"]
    lab.exec(host, ["rm", "-rf", folder])


def note(what: str, met: dict[str, Any]) -> None:
    """Keep what a client met."""
    RESULTS.parent.mkdir(exist_ok=True)
    numbers = {key: met[key] for key in ("operations", "failed", "longest_stall_s")}
    with RESULTS.open("a", encoding="utf-8") as sink:
        sink.write(json.dumps({"case": what, **numbers}) + "\n")


def digest(lab: Lab, host: str, path: str) -> str:
    return lab.exec(host, ["sha256sum", path]).stdout.split()[0]


def test_a_server_dies_and_then_another(lab: Lab) -> None:
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(work, lab, "gpu1", f"{STORE}/first", 14)
        time.sleep(4)
        # The one that the mount was made from.
        lab.kill("store1")
        met = first.result()
        assert (met["failed"], met["wrong"]) == (0, []), met["errors"]
        note("a server dies", met)
        assert met["longest_stall_s"] <= PING_TIMEOUT + 1
        assert health(lab, "store2")["verdict"] == "degraded"

        second = threads.submit(work, lab, "gpu1", f"{STORE}/second", 14)
        time.sleep(4)
        lab.kill("store2")
        refused = second.result()
        note("two servers are dead", refused)
        assert refused["failed"] > 0
        assert refused["wrong"] == []
        assert {code for _at, _kind, code, _text in refused["errors"]} <= {107, 30, 5}, refused["errors"]
        lost = health(lab, "store3")
        assert lost["verdict"] == "lost"
        assert "quorum lost" in [finding["kind"] for finding in lost["findings"]]
    for name in ("store1", "store2"):
        lab.start(name)
    eventually(lambda: health(lab)["verdict"] == "healthy", "all is healed", 120)
    # They try again when their last attempt to connect has run out.
    clients = ("gpu1", "gpu2", "gpu3", *STORES)
    eventually(lambda: all(is_read(lab, host) for host in clients), "clients read again", 120)
    for folder, found in (("first", met), ("second", refused)):
        for name, expected in found["digests"].items():
            # The same bytes in the volume, and in every copy of it.
            assert digest(lab, "gpu3", f"{STORE}/{folder}/{name}") == expected
            assert {digest(lab, each, f"/srv/brick/store/{folder}/{name}") for each in STORES} == {expected}
    lab.exec("gpu1", ["rm", "-rf", f"{STORE}/first", f"{STORE}/second"])


def test_a_server_falls_silent(lab: Lab) -> None:
    with ThreadPoolExecutor(1) as threads:
        client = threads.submit(work, lab, "gpu1", f"{STORE}/silent", 14)
        time.sleep(4)
        lab.unplug("store2")
        try:
            met = client.result()
        finally:
            lab.plug("store2")
    note("a server falls silent", met)
    assert (met["failed"], met["wrong"]) == (0, []), met["errors"]
    assert met["longest_stall_s"] <= PING_TIMEOUT + 1
    eventually(lambda: health(lab)["verdict"] == "healthy", "all is healed", 120)
    for name, expected in met["digests"].items():
        assert {digest(lab, each, f"/srv/brick/store/silent/{name}") for each in STORES} == {expected}
    lab.exec("gpu1", ["rm", "-rf", f"{STORE}/silent"])


def test_the_role_reports_a_degraded_store_and_changes_nothing(lab: Lab) -> None:
    lab.kill("store3")
    try:
        eventually(lambda: health(lab)["verdict"] == "degraded", "it is noticed", 30)
        done = lab.playbook("molecule/model_store/converge.yml", "--limit", "model_stores:!store3")
        assert done.returncode == 0, done.stdout[-3000:]
        assert "store is degraded" in done.stdout
        assert "changed=0" in done.stdout
        assert not [line for line in done.stdout.splitlines() if "changed=" in line and "changed=0" not in line]
    finally:
        lab.start("store3")


def file(lab: Lab, host: str, path: str, mib: int, seed: int) -> str:
    """A file of so many MiB; returns its digest."""
    body = f"import random; random.seed({seed}); open({path!r}, 'wb').write(random.randbytes({mib} * 2**20))"
    lab.exec(host, ["python3", "-c", body])
    return digest(lab, host, path)


def publish(lab: Lab, host: str, version: str, source: str) -> dict[str, Any]:
    return module(lab, host, "model_artifact", store=STORE, name="big", version=version, source=source)


def test_what_is_cut_off_is_never_seen(lab: Lab) -> None:
    expected = file(lab, "store1", "/var/tmp/big", 64, 1)
    began = time.monotonic()
    publish(lab, "store1", "whole", "/var/tmp/big")
    usual = time.monotonic() - began
    for moment in range(MOMENTS):
        with ThreadPoolExecutor(1) as threads:
            cut = threads.submit(publish_quietly, lab, "store1", f"{moment}", "/var/tmp/big")
            time.sleep(usual * (0.5 + 0.5 * moment / MOMENTS))
            lab.exec("store1", ["pkill", "-9", "^python3"], check=False)
            cut.result()
        for version in lab.exec("gpu1", ["ls", f"{STORE}/big"]).stdout.split():
            # Whoever was quick enough is whole.
            assert digest(lab, "gpu2", f"{STORE}/big/{version}/big") == expected
        publish(lab, "store1", f"{moment}", "/var/tmp/big")
        assert digest(lab, "gpu2", f"{STORE}/big/{moment}/big") == expected
    # As if their publishers had been dead for long.
    lab.exec("store1", ["find", f"{STORE}/.incoming", "-exec", "touch", "--date", "2 hours ago", "{}", "+"])
    pruned = module(lab, "store1", "model_artifact", store=STORE, state="pruned")["pruned"]
    assert pruned, "none was killed in the middle"
    assert lab.exec("gpu1", ["ls", "--almost-all", f"{STORE}/.incoming"]).stdout == ""
    assert module(lab, "store1", "model_artifact", store=STORE, state="absent", name="big", version="whole")["changed"]
    lab.exec("store1", ["rm", "-rf", f"{STORE}/big"])


def publish_quietly(lab: Lab, host: str, version: str, source: str) -> None:
    """One that may be killed, and then has no result."""
    with contextlib.suppress(LabError):
        publish(lab, host, version, source)


def test_two_controllers_publish_the_same(lab: Lab) -> None:
    expected = {file(lab, host, "/var/tmp/same", 32, 2) for host in ("store1", "store2")}
    assert len(expected) == 1
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(lambda host: publish(lab, host, "same", "/var/tmp/same"), ("store1", "store2")))
    assert sorted(each["changed"] for each in both) == [False, True], both
    assert {digest(lab, host, f"{STORE}/big/same/same") for host in ("gpu1", "gpu2", "gpu3")} == expected
    other = file(lab, "store3", "/var/tmp/same", 32, 3)
    assert other not in expected
    refused = publish(lab, "store3", "same", "/var/tmp/same")
    assert "a version is immutable" in refused["msg"]
    module(lab, "store1", "model_artifact", store=STORE, state="absent", name="big", version="same")


def flip(lab: Lab, host: str, path: str) -> None:
    """One other byte in the middle of a file."""
    body = (
        f"import os; f = open({path!r}, 'r+b'); f.seek(os.path.getsize({path!r}) // 2); b = f.read(1); f.seek(-1, 1); "
        "f.write(bytes([b[0] ^ 1])); f.close()"
    )
    lab.exec(host, ["python3", "-c", body])


def test_a_rotten_copy_in_the_cache_is_replaced(lab: Lab) -> None:
    arguments = {"cache": CACHE, "store": STORE, "name": "tiny", "version": "r1", "limit_mib": 1024}
    good = module(lab, "gpu1", "model_cache", **arguments)
    assert good["changed"] is False
    path = f"{good['path']}/tiny-r1.gguf"
    expected = digest(lab, "gpu1", path)
    flip(lab, "gpu1", path)
    mended = module(lab, "gpu1", "model_cache", **arguments)
    assert mended["mended"] is True
    assert digest(lab, "gpu1", path) == expected
    # The release shared the rotten bytes, and gets the good ones when it is staged again, as before each rollout.
    done = lab.playbook("molecule/model_store/converge.yml", "--limit", "gpu1")
    assert done.returncode == 0, done.stdout[-3000:]
    assert digest(lab, "gpu1", "/srv/models/serving/current/tiny-r1.gguf") == expected


def test_a_rotten_version_in_the_store_is_not_served(lab: Lab) -> None:
    expected = file(lab, "store1", "/var/tmp/rot", 4, 4)
    publish(lab, "store1", "rot", "/var/tmp/rot")
    flip(lab, "store2", f"{STORE}/big/rot/rot")
    refused = module(
        lab, "gpu1", "model_cache", cache=CACHE, store=STORE, name="big", version="rot", limit_mib=1024, sha256=expected
    )
    assert "the store is damaged" in refused["msg"]
    assert "big/rot" not in [f"{a['name']}/{a['version']}" for a in cached(lab, "gpu1")]
    verified = module(lab, "store3", "model_artifact", store=STORE, state="verified", name="big", version="rot")
    assert "sha256" in verified["msg"]
    module(lab, "store1", "model_artifact", store=STORE, state="absent", name="big", version="rot")


def cached(lab: Lab, host: str) -> list[dict[str, Any]]:
    return list(module(lab, host, "model_artifact_info", store=CACHE)["artifacts"])


def test_a_cache_for_four_keeps_what_is_needed(lab: Lab) -> None:
    cache = "/srv/models/small-cache"
    for number in range(12):
        file(lab, "store1", "/var/tmp/part", 2, number)
        publish(lab, "store1", f"v{number}", "/var/tmp/part")
    for number in range(12):
        kept = [f"big/v{each}" for each in (number - 1, number - 2) if each >= 0]
        held = module(
            lab,
            "gpu3",
            "model_cache",
            cache=cache,
            store=STORE,
            name="big",
            version=f"v{number}",
            kept=kept,
            limit_mib=8,
        )
        assert held["changed"] is True, held
        there = {f"big/{version}" for version in lab.exec("gpu3", ["ls", f"{cache}/big"]).stdout.split()}
        assert {*kept, f"big/v{number}"} <= there
        used = lab.exec("gpu3", ["du", "--summarize", "--apparent-size", "--block-size=1", cache]).stdout.split()[0]
        # Manifests and folders beside the models.
        assert int(used) <= 8 * 2**20 + 256 * 1024
    lab.exec("gpu3", ["rm", "-rf", cache, f"{STORE}/big"])


def test_an_engine_serves_from_the_cache_and_from_the_store(lab: Lab) -> None:
    for host in ("gpu1", "gpu2"):
        answer = module(lab, host, "model_probe", url="http://127.0.0.1:8000", model="tiny")
        assert [step["ok"] for step in answer["proof"]] == [True] * 3, answer
    linked = lab.exec("gpu1", ["stat", "-c", "%h", "/srv/models/serving/current/tiny-r1.gguf"]).stdout.strip()
    assert linked == "2", "one file on the disk, under two names"
    direct = lab.exec("gpu2", ["readlink", "/srv/models/serving/current/tiny-r1.gguf"]).stdout.strip()
    assert direct == f"{STORE}/tiny/r1/tiny-r1.gguf"


def test_servers_are_replaced_while_clients_work(lab: Lab) -> None:
    with working(lab, "gpu1", f"{STORE}/replace"):
        # Minutes each: all of them, one after the other, with make chaos.
        for name in STORES if story.WHOLE else STORES[:1]:
            lab.renew(name)
            done = lab.playbook("playbooks/replace_storage_node.yml", "-e", f"server={name}")
            assert done.returncode == 0, done.stdout[-3000:]
            # Whole for the cluster, and in truth.
            expected = digest(lab, "gpu2", f"{STORE}/tiny/r1/tiny-r1.gguf")
            assert digest(lab, name, "/srv/brick/store/tiny/r1/tiny-r1.gguf") == expected
    # They mount the store again.
    done = lab.playbook("molecule/model_store/converge.yml", "--limit", "model_stores")
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_server_is_not_taken_away_while_another_is_gone(lab: Lab) -> None:
    lab.kill("store2")
    try:
        eventually(lambda: health(lab)["verdict"] == "degraded", "it is noticed", 30)
        done = lab.playbook("playbooks/replace_storage_node.yml", "-e", "server=store3")
        assert done.returncode != 0
        assert "another copy is not whole" in done.stdout
        assert lab.exec("store3", ["systemctl", "is-active", "glusterd"]).stdout.strip() == "active"
    finally:
        lab.start("store2")


@pytest.mark.skipif(not story.WHOLE, reason="minutes: with make chaos")
def test_servers_are_upgraded_one_after_the_other(lab: Lab) -> None:
    with working(lab, "gpu3", f"{STORE}/upgrade"):
        done = lab.playbook("playbooks/upgrade_storage.yml")
        assert done.returncode == 0, done.stdout[-3000:]


def test_nobody_mounts_the_store_without_the_right_certificate(lab: Lab) -> None:
    lab.exec("spare1", ["apt-get", "install", "--yes", "--no-install-recommends", "glusterfs-client"])
    mount = ["timeout", "20", "mount", "-t", "glusterfs", f"{lab.hosts['store1'].address}:/store", "/mnt"]
    assert lab.exec("spare1", mount, check=False).returncode, "without any"
    lab.exec("spare1", ["mkdir", "--parents", "/var/lib/glusterd"])
    lab.exec("spare1", ["touch", "/var/lib/glusterd/secure-access"])
    present(lab, "spare1", "intruder")
    assert lab.exec("spare1", mount, check=False).returncode, "with one that signed itself"
    present(lab, "spare1", "lab")
    lab.exec("spare1", mount)
    assert "tiny" in lab.exec("spare1", ["ls", "/mnt"]).stdout
    lab.exec("spare1", ["umount", "/mnt"])


def present(lab: Lab, host: str, name: str) -> None:
    """Have a host use the certificate of this name."""
    folder = certificate.ensure(name)
    for file, end in ((f"{name}.pem", "pem"), (f"{name}.key", "key"), ("lab.pem", "ca")):
        text = (folder / file).read_text(encoding="ascii")
        lab.exec(host, ["python3", "-c", f"open('/etc/ssl/glusterfs.{end}', 'w').write({text!r})"])


def test_other_storage_is_mounted_by_the_same_role(lab: Lab) -> None:
    # No server of these here: what is rendered, and no more.
    for kind, source, expected in (
        ("nfs", "192.0.2.9:/models", ("+What=192.0.2.9:/models", "+Type=nfs4", "+Options=_netdev,ro")),
        ("cephfs", "192.0.2.9:6789:/", ("+What=192.0.2.9:6789:/", "+Type=ceph", "+Options=_netdev,ro")),
    ):
        done = other_storage(lab, {"model_store_type": kind, "model_store_source": source}, "--check", "--diff")
        assert done.returncode == 0, done.stdout[-3000:]
        assert [line for line in expected if line not in done.stdout] == []
    missing = other_storage(lab, {"model_store_type": "existing"})
    assert missing.returncode != 0
    assert "/mnt/models is no folder on this host" in " ".join(missing.stdout.split())
    lab.exec("spare1", ["mkdir", "/mnt/models"])
    there = other_storage(lab, {"model_store_type": "existing"})
    assert there.returncode == 0, there.stdout[-3000:]


def other_storage(lab: Lab, variables: dict[str, Any], *more: str) -> Any:
    """The role on a host that has nothing of a store."""
    given = {"model_store_mount": "/mnt/models", "model_store_mount_options": ["ro"], **variables}
    return lab.playbook("molecule/model_store/other.yml", "-e", json.dumps(given), *more)

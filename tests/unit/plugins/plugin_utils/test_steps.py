# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole rollouts, step by step, with a pool that is played and ledgers that are real; and a controller that dies."""

from __future__ import annotations

import json

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import PlatformError, Refused
from ansible_collections.steadfast.ai_platform.plugins.module_utils.rollout.state import runs, unfinished
from ansible_collections.steadfast.ai_platform.plugins.plugin_utils import steps

from tests.unit.plugins.plugin_utils.rollout_world import AWAY, Clock, Killed, Roller, World

NO_PROOF = {"failed": True, "msg": "completion: HTTP 500"}
READY = {"state": "ready", "weight": 100}


class Scene:
    """A world, and controllers in it."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.monkeypatch = folder, monkeypatch
        self.clock = Clock(monkeypatch)
        self.world = World(folder / "hosts")

    def roll(self, answered=None):
        return Roller(self.world, self.folder / "events", self.monkeypatch).roll(answered or self.world.ask())

    def dies(self, after, **asked):
        """A controller that dies after so many records. False when it was done before."""
        self.world.appended, self.world.dies_after = 0, after
        try:
            self.roll(self.world.ask(**asked))
        except Killed:
            return True
        finally:
            self.world.dies_after = None
        return False

    def left(self):
        """The unfinished run, by the journal."""
        return unfinished(self.world.ledger().records)

    def told(self):
        return [event for event, _data in self.world.events()]

    def serving(self, *nodes):
        """True when these nodes are in traffic at every balancer with the weight from before."""
        found = [view[name] for view in self.world.servers.values() for name in nodes or self.world.nodes]
        return all({key: server[key] for key in READY} == READY for server in found)


@pytest.fixture
def scene(tmp_path, monkeypatch):
    return Scene(tmp_path, monkeypatch)


def no_proof(*releases):
    """A node that proves none of these releases."""
    return lambda arguments: NO_PROOF if arguments["name"] in releases else None


# --- Forward --------------------------------------------------------------------------------------------------------


def test_a_pool_moves_batch_by_batch(scene):
    assert scene.roll() == ("succeeded", "", {})
    assert set(scene.world.active.values()) == {"r2"}
    assert scene.serving()
    assert scene.world.least == 2
    assert scene.told() == [
        "run_opened",
        *["draining", "changing", "admitting", "baking", "verified"] * 3,
        "run_closed",
    ]
    assert scene.left() is None
    assert scene.world.ledger().left == 0
    assert scene.world.ask()["forward"] == []


def test_a_batch_that_takes_too_long_is_taken_back(scene):
    asked = {"progress_deadline": 20, "min_requests": 10**6, "bake_time": 1, "max_bake_time": 300}
    outcome, reason, _lost = scene.roll(scene.world.ask(**asked))
    assert outcome == "reverted"
    assert "no verdict after 20 s" in reason
    assert scene.serving()
    assert set(scene.world.active.values()) == {"r1"}


def test_a_bake_is_not_cut_short_by_the_batchs_deadline(scene):
    began = scene.clock.at
    assert scene.roll(scene.world.ask(progress_deadline=20, bake_time=30))[0] == "succeeded"
    assert scene.clock.at - began >= 3 * 30


def test_a_batch_whose_time_is_up_begins_no_further_step(scene):
    def slowly(_arguments):
        scene.clock.sleep(30)

    scene.world.wrong[("gpu1", "model_release")] = slowly
    outcome, reason, _lost = scene.roll(scene.world.ask(progress_deadline=20))
    assert (outcome, reason) == ("reverted", "not back in traffic with proof 20 s after its drain (progress_deadline)")
    assert set(scene.world.active.values()) == {"r1"}
    assert scene.serving()


def test_standby_first_and_nothing_is_stopped_before_both_have_drained_it(scene):
    scene.roll()
    assert [entry[:3] for entry in scene.world.log[:8]] == [
        ("drain", "gpu1", "lb2"),
        ("maint", "gpu1", "lb2"),
        ("maint", "gpu1", "lb1"),
        ("activate", "gpu1", "r2"),
        # Checked again meanwhile, and out of traffic as before.
        ("drain", "gpu1", "lb2"),
        ("drain", "gpu1", "lb1"),
        ("ready", "gpu1", "lb2"),
        ("ready", "gpu1", "lb1"),
    ]


def test_the_journal_has_what_a_stranger_needs(scene):
    scene.roll(scene.world.ask(load_time_factor=5))
    data = {}
    for event, found in scene.world.events():
        data.setdefault(event, found)
    assert data["run_opened"]["plan"]["questions"]["gpu1"]["r1"] == {"model": "tiny", "identity": "tiny@r1"}
    assert data["run_opened"]["policy"]["load_time_factor"] == 5
    assert data["draining"]["prior"] == {"gpu1": {"lb1": READY, "lb2": READY}}
    assert data["admitting"]["load_seconds"] == {"gpu1|tiny any": 2.5}
    assert {verdict["gate"] for verdict in data["verified"]["verdicts"]} >= {"local", "errors", "load_time"}


def test_a_ramp_ends_at_the_weight_from_before(scene):
    for view in scene.world.servers.values():
        view["gpu1"]["weight"] = 80
    scene.roll(scene.world.ask(ramp=[25, 50], bake_time=20, max_bake_time=20, lease_ttl=3600))
    assert [entry[3] for entry in scene.world.log if entry[:3] == ("ready", "gpu1", "lb1")] == [20, 40, 80]
    assert scene.world.servers["lb1"]["gpu1"]["weight"] == 80


def test_what_happens_is_told_to_whoever_watches(scene):
    scene.roll()
    (path,) = (scene.folder / "events").glob("*/events.jsonl")
    events = [json.loads(line) for line in path.read_text().splitlines()]
    phases = [(event["batch"], event["phase"]) for event in events if event["event"] == "phase"]
    assert phases[:5] == [(1, phase) for phase in ("draining", "changing", "admitting", "baking", "verified")]
    assert (events[0]["event"], events[-1]["event"], events[-1]["outcome"]) == ("run_opened", "run_closed", "succeeded")


def test_requests_that_were_cut_are_said(scene):
    scene.world.wrong[("lb1", "haproxy_server")] = lambda arguments: (
        {"changed": True, "open_requests": 4} if arguments["state"] == "maint" else None
    )
    steps = Roller(scene.world, scene.folder / "events", scene.monkeypatch)
    with pytest.raises(AssertionError, match="in traffic"):
        steps.roll(scene.world.ask(on_drain_deadline="continue"))
    (path,) = (scene.folder / "events").glob("*/events.jsonl")
    assert '"numbers": {"cut": 4}' in path.read_text()


# --- Not begun ------------------------------------------------------------------------------------------------------


def test_of_two_controllers_one_is_told_who_holds_the_pool(scene):
    answered = scene.world.ask()
    scene.dies(3)
    with pytest.raises(Refused, match=r"pool serving is held by .* \(run .*\) for 60 s more, until"):
        scene.roll(answered)


def test_a_plan_that_another_run_has_overtaken_is_not_carried_out(scene):
    answered = scene.world.ask()
    scene.roll()
    with pytest.raises(Refused, match="plan again"):
        scene.roll(answered)


def test_a_node_that_cannot_be_asked_stops_it_before_the_lease(scene):
    scene.world.wrong[("gpu2", "model_release_info")] = AWAY
    with pytest.raises(Refused, match=r"gpu2: unreachable .*Nothing was changed"):
        scene.roll()
    assert scene.told() == []
    assert scene.world.ledger().fence == 0


def test_nodes_whose_releases_were_seen_already_are_not_asked_again(scene):
    seen = {"r1": {"identity": "tiny@r1"}, "r2": {"identity": "tiny@r2"}, "r0": {"identity": "tiny@r0"}}
    staged = {"gpu1": seen, "gpu2": {"r1": seen["r1"]}}
    opening = Roller(scene.world, scene.folder / "events", scene.monkeypatch)
    assert opening.roll(scene.world.ask(), staged)[0] == "succeeded"
    before = scene.world.calls[: next(n for n, call in enumerate(scene.world.calls) if call[1] == "rollout_ledger")]
    assert [host for host, module, _arguments in before if module == "model_release_info"] == ["gpu2", "gpu3"]
    questions = scene.world.events()[0][1]["plan"]["questions"]
    assert questions["gpu1"] == {"r1": {"identity": "tiny@r1"}, "r2": {"identity": "tiny@r2"}}
    assert questions["gpu2"]["r2"] == {"model": "tiny", "identity": "tiny@r2"}


def test_a_balancer_that_is_silent_stops_a_batch_before_it_is_begun(scene):
    scene.world.wrong[("lb1", "haproxy_info")] = AWAY
    outcome, reason, _lost = scene.roll()
    assert outcome == "stopped"
    assert "lb1 cannot be read" in reason
    assert scene.world.log == []


# --- Back -----------------------------------------------------------------------------------------------------------


def test_a_failed_gate_takes_its_batch_back(scene):
    scene.world.bad.add("r2")
    outcome, reason, lost = scene.roll(scene.world.ask(bake_time=20, max_bake_time=20, lease_ttl=3600))
    assert (outcome, lost) == ("reverted", {})
    assert "requests failed at the new servers" in reason
    assert set(scene.world.active.values()) == {"r1"}
    assert scene.serving()
    assert scene.told()[-5:] == ["failed", "changing", "admitting", "reverted", "run_closed"]
    assert scene.world.least == 2


@pytest.mark.parametrize(
    ("on_failure", "active", "outcome"),
    [
        ("revert_batch", ["r2", "r1", "r1"], "reverted"),
        ("revert_all", ["r1", "r1", "r1"], "reverted"),
        ("stop", ["r2", "r1", "r1"], "stopped"),
    ],
)
def test_how_far_back_is_the_policys_to_say(scene, on_failure, active, outcome):
    scene.world.wrong[("gpu2", "model_release")] = no_proof("r2")
    assert scene.roll(scene.world.ask(on_failure=on_failure))[:2] == (outcome, "gpu2: completion: HTTP 500")
    assert list(scene.world.active.values()) == active
    assert scene.serving() is (on_failure != "stop")
    assert scene.left() is None


def test_what_cannot_be_taken_back_is_quarantined(scene):
    scene.world.wrong[("gpu1", "model_release")] = no_proof("r1", "r2")
    outcome, _reason, lost = scene.roll()
    assert (outcome, lost) == ("failed", {"gpu1": "completion: HTTP 500"})
    assert {view["gpu1"]["state"] for view in scene.world.servers.values()} == {"maint"}
    assert runs(scene.world.ledger().records)[0].quarantined == lost
    assert scene.serving("gpu2", "gpu3")


def test_a_node_without_a_release_before_has_nothing_to_go_back_to(scene):
    scene.world.active["gpu1"] = None
    scene.world.wrong[("gpu1", "model_release")] = no_proof("r2")
    assert scene.roll()[2] == {"gpu1": "it had no release before"}


def test_no_verdict_fails_and_says_so(scene):
    outcome, reason, _lost = scene.roll(scene.world.ask(min_requests=10000, max_bake_time=10, lease_ttl=3600))
    assert outcome == "reverted"
    assert reason.startswith("no verdict after 10 s: ")


def test_a_load_that_took_much_longer_than_usual_fails(scene):
    for release in ("r2", "r1", "r2", "r1"):
        assert scene.roll(scene.world.ask(release=release))[0] == "succeeded"
    slow = {"changed": True, "proof": [], "seconds_to_ready": 99.0}
    scene.world.wrong[("gpu1", "model_release")] = lambda arguments: (
        scene.world.model_release("gpu1", arguments["name"]) and slow
    )
    outcome, reason, _lost = scene.roll()
    assert outcome == "reverted"
    assert "loaded in 99.0 s" in reason


def test_a_server_that_does_not_answer_after_its_bake_fails(scene):
    scene.world.wrong[("gpu1", "model_probe")] = NO_PROOF
    assert scene.roll()[:2] == ("reverted", "gpu1 at the end of the bake: completion: HTTP 500")


def balancer_dies_after(scene, event, **asked):
    def dies(_arguments):
        if event in scene.told():
            scene.world.away.add("lb1")

    scene.world.wrong[("lb2", "haproxy_info")] = dies
    return scene.roll(scene.world.ask(max_bake_time=20, **asked))


def test_a_batch_that_cannot_be_watched_any_longer_stays_in_traffic_where_nothing_speaks_against_it(scene):
    # The first batch is admitted: the next thing is its bake.
    outcome, reason, lost = balancer_dies_after(scene, "admitting")
    assert outcome == "failed"
    assert "lb1" in reason
    assert lost["gpu1"].startswith("left as it is, in traffic on r2: lb1 cannot be read")
    assert scene.world.active == {"gpu1": "r2", "gpu2": "r1", "gpu3": "r1"}
    assert scene.serving()


def test_a_bad_batch_that_cannot_come_back_is_out_of_traffic_where_that_can_be_had(scene):
    scene.world.bad.add("r2")
    outcome, _reason, lost = balancer_dies_after(scene, "failed", bake_time=20, lease_ttl=3600)
    assert outcome == "failed"
    assert lost["gpu1"].startswith("lb1 cannot be read"), lost
    assert scene.world.servers["lb2"]["gpu1"]["state"] == "maint"


def no_majority(scene, event):
    """The first record of this event is taken by one host, twice."""
    tries = []

    def away(arguments):
        said = arguments["action"] == "append" and f'"{event}"' in "".join(arguments["records"] or [])
        tries.extend([1] if said else [])
        return AWAY if said and len(tries) <= 4 else None

    for host in ("lb2", "witness"):
        scene.world.wrong[(host, "rollout_ledger")] = away


def test_a_verdict_that_one_host_took_counts_and_the_next_batch_comes_back(scene):
    """When the copies are brought together, what the host has is brought to all."""
    no_majority(scene, "verified")
    outcome, reason, _lost = scene.roll()
    assert outcome == "reverted"
    assert "1 of 3 ledger hosts took the record" in reason
    assert {entry[1] for entry in scene.world.log if entry[0] != "ready"} == {"gpu1"}
    assert scene.world.active == {"gpu1": "r2", "gpu2": "r1", "gpu3": "r1"}
    assert scene.serving()


def test_a_note_that_is_lost_stops_nothing(scene):
    no_majority(scene, "baking")
    assert scene.roll() == ("succeeded", "", {})


def test_a_verdict_is_written_though_the_next_batch_cannot_begin(scene):
    def last(_arguments):
        scene.world.wrong[("lb1", "haproxy_info")] = AWAY
        return {"rc": 0, "changed": True}

    scene.world.wrong[("localhost", "ansible.builtin.command")] = last
    scene.monkeypatch.setattr(steps, "FRESH_S", 0)
    outcome, reason, _lost = scene.roll(scene.world.ask(custom_gates=[{"name": "smoke", "command": "true"}]))
    assert outcome == "stopped"
    assert "lb1 cannot be read" in reason
    assert scene.told()[-3:] == ["verified", "failed", "run_closed"]
    assert scene.world.active["gpu1"] == "r2"


def test_moments_without_a_majority_take_back_and_no_record_is_lost_or_said_two_ways(scene):
    no_majority(scene, "changing")
    outcome, reason, _lost = scene.roll()
    assert outcome == "reverted"
    assert "1 of 3 ledger hosts took the record" in reason
    assert scene.told()[:5] == ["run_opened", "draining", "changing", "changing", "failed"]
    assert scene.serving()
    for host in scene.world.names:
        assert scene.world.store(host).records()[0] == list(scene.world.ledger().records)


# --- A controller that dies -----------------------------------------------------------------------------------------


def expected(events, count=3):
    """Forward and backward as a reader of the events would say."""
    verified = {data["batch"] for event, data in events if event == "verified"}
    failed = [data for event, data in events if event == "failed"]
    back = {index for data in failed for index in data["reverting"]}
    back -= {data["batch"] for event, data in events if event == "reverted"}
    return ([] if failed else [index for index in range(count) if index not in verified]), sorted(back, reverse=True)


@pytest.mark.parametrize("fails", [False, True])
def test_after_any_record_another_goes_on_to_the_same_end(tmp_path, monkeypatch, fails):
    after, ended = 0, False
    while not ended:
        after += 1
        scene = Scene(tmp_path / str(after), monkeypatch)
        if fails:
            scene.world.wrong[("gpu2", "model_release")] = no_proof("r2")
        ended = not scene.dies(after, on_failure="revert_all")
        events = scene.world.events()
        left = scene.left()
        if left is None:
            assert events[-1][0] == "run_closed"
        else:
            assert (left.forward(), left.backward()) == expected(events)
            scene.clock.sleep(61)
            assert scene.roll(scene.world.ask("resume", "", on_failure="revert_all"))[2] == {}
        assert set(scene.world.active.values()) == {"r1" if fails else "r2"}
        assert scene.serving()
        assert scene.left() is None
        assert scene.world.least == 2
    assert after > 15


def test_after_any_record_it_can_be_taken_back_and_that_can_be_interrupted_too(tmp_path, monkeypatch):
    """Rolled back over an unfinished run by a controller that dies as well, servers left by the first come back."""
    first, second = 12, 0
    ended = False
    while not ended:
        second += 1
        scene = Scene(tmp_path / str(second), monkeypatch)
        assert scene.dies(first)
        out = [name for name in scene.world.nodes if not scene.serving(name)]
        scene.clock.sleep(61)
        ended = not scene.dies(second, mode="rollback", release="")
        left = scene.left()
        if left is not None:
            assert left.release == "r1"
            assert set(out) <= set(left.touched())
            scene.clock.sleep(61)
            assert scene.roll(scene.world.ask("resume", ""))[0] == "succeeded"
        assert set(scene.world.active.values()) == {"r1"}
        assert scene.serving()
        assert [run.outcome for run in runs(scene.world.ledger().records)] == ["superseded", "succeeded"]


def test_a_step_of_a_controller_that_lost_the_pool_changes_nothing_more(scene):
    scene.dies(2)
    left, opened = scene.left(), scene.world.events()[0][1]
    late = {
        "id": left.id, "pool": "serving", "owner": left.owner, "plan": left.plan, "policy": opened["policy"],
        "balancers": ["lb2", "lb1"], "prior": left.prior, "spent": {}, "loads": {}, "absent": [], "fence": 1, "seq": 2,
        "ledger_hosts": scene.world.names, "events_folder": str(scene.folder / "events"),
    }  # fmt: skip
    scene.clock.sleep(61)
    assert scene.roll(scene.world.ask("resume", ""))[0] == "succeeded"
    before = list(scene.world.log)
    with pytest.raises(PlatformError, match="is here, not 1"):
        Roller(scene.world, scene.folder / "events", scene.monkeypatch).steps(late).change(0)
    assert scene.world.log == before

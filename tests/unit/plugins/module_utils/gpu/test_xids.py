# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel's log asks for: the driver's word, the policy, what a reboot settles, and what it does not."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.findings import ACTIONS, SEVERITIES
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.kernel_log import Event
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.policy import POLICIES, Policy
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.plugins.module_utils.gpu.answers import BOOT, NOW, changed, judged, kinds, text

A, B = "0000:41:00.0", "0000:42:00.0"
BEFORE = "a" * 32
RESET = "GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)"
REBOOT = "GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)"
CLEARED = "GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)"


def xid(code: int, ago: float = 60.0, bus: str = A, boot: str = BOOT, text: str = "", kind: str = "xid") -> Event:
    return Event(NOW - ago, boot, bus, kind, code, text)


def log(*events: Event, name: str = "nvidia", answer: str = "v11", overrides=None):
    """Judged beside an answer in which all is well; that of v11 tells nothing of what the driver wants."""
    return judged(text(answer), events=events, policy=Policy(name, overrides or {}))


def test_a_finding_names_the_gpu_that_has_it():
    (one,) = log(xid(79, bus=B)).findings
    assert (one.kind, one.severity, one.action, one.index, one.serial) == ("xid 79", "critical", "reboot", 1, "S0001")
    assert one.evidence["bus"] == B
    assert "gpu has fallen off the bus" in one.text


def test_a_gpu_that_is_gone_is_named_by_its_address():
    (one,) = log(xid(79, bus="0000:99:00.0")).findings
    assert (one.index, one.uuid, one.evidence["bus"]) == (None, "", "0000:99:00.0")


@pytest.mark.parametrize("code", [45, 63])
def test_what_needs_nothing_changes_no_verdict(code):
    judgement = log(xid(code))
    assert (judgement.verdict, judgement.action) == ("healthy", "none")
    assert judgement.findings


def test_an_unknown_code_asks_for_a_person():
    judgement = log(xid(999))
    assert (judgement.verdict, judgement.action, judgement.findings[0].person) == ("degraded", "none", True)


def test_removed_channels_on_all_gpus_are_one_finding():
    judgement = log(xid(48, 61), *(xid(45, 60, bus) for bus in (A, B)), *(xid(45, 59.5, bus) for bus in (A, B)))
    assert [one.kind for one in judgement.findings] == ["xid 48", "xid 45"]
    assert judgement.findings[1].evidence["buses"] == [A, B]
    assert "after 48 on 0000:41:00.0" in judgement.findings[1].text


@pytest.mark.parametrize(
    ("events", "action"),
    [
        ([xid(79), xid(154, 59, text=RESET)], "reset_gpu"),
        ([xid(46), xid(154, 59, text=REBOOT)], "reboot"),
        ([xid(46), xid(154, 59, text=RESET), xid(154, 50, text=CLEARED)], "none"),
        # What came after the driver's word is not covered by it.
        ([xid(154, 70, text=CLEARED), xid(46)], "reset_gpu"),
        # Nor is another GPU.
        ([xid(79), xid(154, 59, B, text=RESET)], "reboot"),
        # Nor what its words say that we do not know.
        ([xid(79), xid(154, 59, text="GPU recovery action changed to 0x9 (Sing)")], "reboot"),
    ],
)
def test_the_text_of_154_goes_before_the_table(events, action):
    assert log(*events).action == action


def test_the_drivers_word_now_goes_before_its_word_then():
    assert log(xid(79), xid(154, 59, text=REBOOT), answer="v13").action == "none"
    judgement = judged(changed("v13", "gpu_recovery_action", "Reset"), events=[xid(79)])
    assert judgement.action == "reset_gpu"
    assert ("xid 79", "critical", "reset_gpu") in kinds(judgement)


def test_cautious_takes_the_worse_of_both():
    assert log(xid(79), answer="v13", name="cautious").action == "reboot"
    judgement = judged(changed("v13", "gpu_recovery_action", "Reset"), events=[xid(79)], policy=Policy("cautious"))
    assert judgement.action == "reboot"


def test_the_driver_says_nothing_about_applications():
    assert log(xid(31), answer="v13").action == "restart_app"


def test_the_operators_word_goes_before_the_driver_and_the_table():
    assert log(xid(79), xid(154, 59, text=RESET), overrides={79: "isolate"}).action == "isolate"
    assert kinds(log(xid(79), overrides={79: "none"})) == []


@pytest.mark.parametrize("code", [31, 46, 79])
def test_a_reboot_settles_what_came_before_it(code):
    judgement = log(xid(code, boot=BEFORE))
    assert (judgement.verdict, judgement.action) == ("healthy", "none")


def test_but_not_what_calls_for_a_person():
    assert log(xid(143, boot=BEFORE), name="cautious").action == "isolate"


def test_what_comes_again_after_every_reboot_is_not_cured_by_one():
    earlier = [xid(79, 7200, boot="1" * 32), xid(79, 3600, boot="2" * 32)]
    assert log(*earlier[:1], xid(79)).action == "reboot"
    assert log(*earlier, xid(79)).action == "isolate"
    assert log(*earlier, xid(79, bus=B)).action == "reboot"
    assert log(xid(79, 4 * 86400, boot="1" * 32), earlier[1], xid(79)).action == "reboot"
    assert log(*earlier, xid(79), overrides={79: "reboot"}).action == "reboot"


def test_a_contained_error_never_calls_the_hardware_bad():
    events = [xid(94, 7200, boot="1" * 32), xid(94, 3600, boot="2" * 32), xid(94)]
    assert log(*events, name="cautious").action == "reboot"


def test_an_application_is_restarted_for_what_is_recent():
    assert log(xid(31, 599)).action == "restart_app"
    assert log(xid(31, 601)).action == "none"
    assert log(xid(79, 86400)).action == "reboot"


def test_sxids_are_the_switchs():
    (one,) = log(xid(23001, bus="0000:c1:00.0", kind="sxid")).findings
    assert (one.kind, one.action, one.index) == ("sxid 23001", "reboot", None)
    assert "NVSwitch at 0000:c1:00.0" in one.text


EVENTS = st.lists(
    st.builds(
        Event,
        at=st.sampled_from([NOW - 7000, NOW - 601, NOW - 60.5, NOW - 60, NOW + 5]),
        boot=st.sampled_from([BOOT, BEFORE, "1" * 32]),
        bus=st.sampled_from([A, B, "0000:99:00.0"]),
        kind=st.sampled_from(["xid", "xid", "xid", "sxid", "gone"]),
        code=st.sampled_from([13, 31, 45, 48, 63, 64, 79, 94, 95, 109, 136, 143, 145, 154, 172, 999, 12028, 24007]),
        text=st.sampled_from(["", RESET, REBOOT, CLEARED, "x"]),
        fatal=st.booleans(),
    ),
    max_size=8,
)
WORDS = st.sampled_from(["None", "Reset", "Reboot", "Drain P2P", "Sing", "N/A"])


@given(EVENTS, WORDS, st.dictionaries(st.sampled_from([31, 79, 94, 999]), st.sampled_from(ACTIONS), max_size=2))
@settings(max_examples=40, deadline=None)
def test_a_stricter_policy_never_asks_for_less(events, word, overrides):
    answer = changed("v13", "gpu_recovery_action", word)
    judgements = [judged(answer, events=events, policy=Policy(name, overrides)) for name in POLICIES]
    ranks = [ACTIONS.index(one.action) for one in judgements]
    assert ranks == sorted(ranks)
    worst = [max((SEVERITIES.index(each.severity) for each in one.findings), default=0) for one in judgements]
    assert worst == sorted(worst)


@given(EVENTS, st.randoms(use_true_random=False), st.sampled_from(POLICIES))
@settings(max_examples=40, deadline=None)
def test_the_order_of_events_is_of_no_matter(events, chance, name):
    shuffled = list(events)
    chance.shuffle(shuffled)
    assert judged(text("v11"), events=events, policy=Policy(name)) == judged(
        text("v11"), events=shuffled, policy=Policy(name)
    )


@given(EVENTS)
@settings(max_examples=40, deadline=None)
def test_removed_channels_alone_never_act(events):
    alone = [Event(one.at, one.boot, one.bus, "xid", 45, one.text, fatal=one.fatal) for one in events]
    for name in POLICIES:
        judgement = log(*alone, name=name)
        assert (judgement.verdict, judgement.action) == ("healthy", "none")

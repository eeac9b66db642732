# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict over a host. Whatever is done to an answer, it is never healthy with a needed thing missing."""

from __future__ import annotations

import re

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.expect import Expect
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.judge import Seen, judge
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.policy import Policy
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.records import Look, Trouble
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.refusals import MEANING, Answer, understand
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.plugins.module_utils.gpu.answers import BOOT, KNOWN, NOW, changed, judged, kinds, text

U0, U1 = ("GPU-00000000-0000-0000-0000-00000000000" + end for end in "01")
# Without any one of these no answer of that generation is healthy.
ALWAYS = [
    "driver_version", "attached_gpus", "product_name", "uuid", "gpu_temp", "total", "gpu_util", "current_link_width",
    "max_link_width", "current_ecc", "dram_uncorrectable",
]  # fmt: skip
THROTTLES = ["hw_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown", "sw_thermal_slowdown"]
OLD = ["clocks_throttle_reason_" + one for one in THROTTLES]
NEW = ["clocks_event_reason_" + one for one in THROTTLES]
NEEDED = {
    "v11": [*ALWAYS, *OLD, "sram_uncorrectable", "pending_retirement"],
    "v12": [*ALWAYS, "sram_uncorrectable_parity", "remapped_row_pending", "gpu_recovery_action"],
    "v13": [*ALWAYS, *NEW, "sram_uncorrectable_secded", "remapped_row_failure"],
}
# Said of GPUs that cannot tell what they need.
FINE = ("gpu_recovery_action", "N/A")
PLACES = [(name, tag, which) for name, tags in NEEDED.items() for tag in tags for which in (0, 1)]
PLACES = [one for one in PLACES if one[2] == 0 or one[1] not in ("driver_version", "attached_gpus")]


def seen(look: Look | None, **more) -> Seen:
    return Seen(look, more.pop("events", []), NOW, BOOT, **more)


def rename(name: str, tag: str, which: int) -> str:
    """The answer with one element called differently."""
    parts = re.split(f"(</?{tag}>)", text(name))
    begin = 1 + 4 * which
    for place in (begin, begin + 2):
        parts[place] = parts[place].replace(tag, "renamed_" + tag)
    return "".join(parts)


@pytest.mark.parametrize(("name", "tag", "which"), PLACES)
def test_without_a_needed_thing_no_host_is_healthy(name, tag, which):
    # A count of errors is told twice: since the driver was loaded, and in the GPU's life. The first of each GPU counts.
    which = which * 2 if "uncorrectable" in tag else which
    gone = {
        "renamed": lambda: rename(name, tag, which),
        "N/A": lambda: changed(name, tag, "N/A", which),
        "error": lambda: changed(name, tag, "[Unknown Error]", which),
        "empty": lambda: changed(name, tag, "", which),
        "blank": lambda: changed(name, tag, "18446744073709551615", which),
        "nested": lambda: changed(name, tag, "<value>1</value>", which),
    }
    for how, answer in gone.items():
        if (tag, how) == FINE:
            continue
        judgement = judged(answer())
        assert judgement.verdict != "healthy", f"{tag} {how}"
        assert "unknown" in {one.kind for one in judgement.findings} or judgement.verdict == "failed"


def test_of_an_unseen_generation_nothing_is_taken_for_health():
    judgement = judged(text("v14-unseen"))
    assert (judgement.verdict, judgement.action) == ("degraded", "none")
    assert {one.kind for one in judgement.findings} == {"unknown"}


TAGS = sorted({tag for name in KNOWN for tag in re.findall(r"<([a-z_]+)>[^<]*</", text(name))})
VALUES = [
    "N/A",
    "",
    "[Unknown Error]",
    "GPU requires reset",
    "0",
    "-1",
    "999999999999999999999",
    "Yes",
    "\u0661",
    "&amp;",
]

LOST = ("N/A", "", "[Unknown Error]", "-1")


@example("v11", [("product_name", "-1")])
@given(st.sampled_from(KNOWN), st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(VALUES)), max_size=6))
@settings(max_examples=40, deadline=None)
def test_any_values_are_judged(name, changes):
    answer, final = text(name), dict(changes)
    for tag, value in final.items():
        answer = re.sub(f"<{tag}>[^<]*</{tag}>", f"<{tag}>{value}</{tag}>", answer)
    try:
        judgement = judged(answer)
    except Unreadable:
        return
    if any(tag in NEEDED[name] and value in LOST and (tag, value) != FINE for tag, value in final.items()):
        assert judgement.verdict != "healthy"


@given(st.sampled_from(KNOWN), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_an_answer_cut_anywhere_is_an_error(name, share):
    whole = text(name).rstrip()
    cut = whole[: int(share * (len(whole) - 1))]
    with pytest.raises(Unreadable):
        understand(Answer(0, cut))


@given(st.sampled_from(KNOWN), st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=3)), max_size=4))
@settings(max_examples=40, deadline=None)
def test_any_bytes_are_judged_or_refused(name, changes):
    raw = bytearray(text(name).encode())
    for share, put in changes:
        at = int(share * (len(raw) - 4))
        raw[at : at + len(put)] = put
    try:
        look = understand(Answer(0, bytes(raw).decode("utf-8", "replace")))
    except Unreadable:
        return
    judge(seen(look), Expect(count=2), Policy())


@pytest.mark.parametrize("name", KNOWN)
def test_a_gpu_listed_twice_is_refused(name):
    whole = text(name)
    one = whole[whole.index("<gpu id") : whole.index("</gpu>") + 6]
    with pytest.raises(Unreadable, match="twice"):
        judged(whole.replace("</nvidia_smi_log>", one + "</nvidia_smi_log>"))


@pytest.mark.parametrize(
    ("expect", "found"),
    [
        (Expect(count=2), []),
        (Expect(count=3), [("count", "critical", "reboot")]),
        (Expect(count=1), [("count", "critical", "none")]),
        (Expect(driver="595"), []),
        (Expect(driver="595.58.03"), []),
        (Expect(driver="59"), [("driver version", "warning", "none")]),
        (Expect(nvlinks=18), [("unknown", "warning", "none")] * 2),
    ],
)
def test_expectations_of_the_host(expect, found):
    assert kinds(judged(text("v13"), expect)) == found


def test_links_between_gpus():
    judgement = judged(text("v13"), Expect(nvlinks=18), nvlinks={U0: 18, U1: 17})
    assert kinds(judgement) == [("nvlinks", "critical", "none")]
    assert judgement.findings[0].index == 1


def test_nvidia_smi_that_counts_other_than_it_lists():
    judgement = judged(changed("v13", "attached_gpus", "8"))
    assert kinds(judgement) == [("count", "critical", "reboot")]


@pytest.mark.parametrize(
    ("on_bus", "found"),
    [
        ({"0000:41:00.0": "nvidia", "0000:42:00.0": "nvidia"}, []),
        ({"0000:41:00.0": "nvidia", "0000:43:00.0": "nvidia"}, [("not listed", "critical", "reboot")]),
        ({"0000:43:00.0": "nouveau"}, [("not listed", "critical", "none")]),
        ({"0000:43:00.0": "vfio-pci"}, []),
        (None, []),
    ],
)
def test_a_gpu_on_the_bus_that_does_not_answer(on_bus, found):
    assert kinds(judged(text("v13"), on_bus=on_bus)) == found


@pytest.mark.parametrize("kind", MEANING)
def test_every_trouble_is_a_finding(kind):
    severity, action, person, _words = MEANING[kind]
    look = Look(troubles=(Trouble(kind, "said", "0000:41:00.0"),))
    judgement = judge(seen(look, on_bus={"0000:41:00.0": "nvidia"}), Expect(), Policy())
    assert kinds(judgement) == [(kind, severity, action)]
    assert judgement.verdict == ("failed" if severity == "critical" else "degraded")
    assert judgement.findings[0].person is person


def test_trouble_of_a_listed_gpu_is_that_gpus():
    look = understand(Answer(15, "Unable to determine the device handle for GPU 0000:42:00.0: x\n" + text("v13")))
    troubled = [one for one in judge(seen(look), Expect(), Policy()).findings if one.kind == "GPU unreachable"]
    assert [one.serial for one in troubled] == ["S0001"]


def test_an_answer_that_could_not_be_read_is_a_failure_with_its_reason():
    judgement = judge(seen(None, unread="the answer is cut off"), Expect(), Policy())
    assert (judgement.verdict, judgement.present) == ("failed", True)
    assert "the answer is cut off" in judgement.text


def test_a_log_that_could_not_be_read_is_not_a_quiet_one():
    judgement = judge(seen(understand(Answer(0, text("v13"))), events=None), Expect(), Policy())
    assert kinds(judgement) == [("log unknown", "warning", "none")]


NOTHING = Look(troubles=(Trouble("no nvidia-smi", ""),))


def test_a_host_without_gpus():
    judgement = judge(seen(NOTHING, on_bus={}), Expect(), Policy())
    assert (judgement.present, judgement.verdict, judgement.findings) == (False, "healthy", [])
    assert judgement.text == "there is no NVIDIA GPU"
    # Its tools may be there, and have nothing to talk to.
    idle = judge(seen(Look(troubles=(Trouble("driver not loaded", ""),)), on_bus={}), Expect(), Policy())
    assert (idle.present, idle.findings) == (False, [])
    assert judge(seen(Look(troubles=(Trouble("driver not loaded", ""),))), Expect(), Policy()).present


@pytest.mark.parametrize("on_bus", [{}, None])
def test_but_not_when_gpus_are_expected(on_bus):
    judgement = judge(seen(NOTHING, on_bus=on_bus), Expect(count=8), Policy())
    assert (judgement.present, judgement.verdict) == (False, "failed")


@pytest.mark.parametrize("said", ["GPU is lost", "Unable to determine the device handle for GPU0000:41:00.0", None])
def test_trouble_with_a_gpu_tells_that_there_is_one(said):
    """One that has fallen off the bus may be no longer on it."""
    answer = Answer(None if said is None else 15, said or "")
    judgement = judge(seen(understand(answer), on_bus={}), Expect(), Policy())
    assert (judgement.present, judgement.verdict, judgement.action) == (True, "failed", "reboot")


def test_a_gpu_without_its_tools_is_present_and_failed():
    judgement = judge(seen(NOTHING, on_bus={"0000:41:00.0": ""}), Expect(), Policy())
    assert (judgement.present, judgement.verdict) == (True, "failed")


def test_what_other_looks_saw_is_kept_for_the_next():
    first = judged(text("v13"))
    blind = judge(seen(None), Expect(), Policy(), first.state)
    assert blind.state == first.state
    assert set(first.state) == {U0, U1}

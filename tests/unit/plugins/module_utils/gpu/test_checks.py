# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing wrong at a time, in an answer in which all else is well."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.expect import Expect

from tests.unit.plugins.module_utils.gpu.answers import KNOWN, NOW, changed, judged, kinds, text


@pytest.mark.parametrize("name", KNOWN)
def test_all_well(name):
    judgement = judged(text(name))
    assert (judgement.verdict, judgement.action, judgement.findings) == ("healthy", "none", [])


@pytest.mark.parametrize(
    ("name", "tag", "value", "found"),
    [
        ("v13", "gpu_recovery_action", "Reset", ("recovery action", "critical", "reset_gpu")),
        ("v13", "gpu_recovery_action", "Reboot", ("recovery action", "critical", "reboot")),
        ("v13", "gpu_recovery_action", "Drain P2P", ("recovery action", "critical", "restart_app")),
        ("v13", "gpu_recovery_action", "Recover IMEX Domain", ("recovery action", "critical", "none")),
        ("v11", "sram_uncorrectable", "1", ("ecc uncorrected", "critical", "reset_gpu")),
        ("v11", "dram_uncorrectable", "2", ("ecc uncorrected", "critical", "reset_gpu")),
        ("v13", "sram_uncorrectable_secded", "1", ("ecc uncorrected", "critical", "reset_gpu")),
        ("v13", "sram_correctable", "10001", ("ecc corrected", "warning", "none")),
        ("v13", "dram_correctable", "20000001", ("ecc corrected", "warning", "none")),
        ("v13", "sram_threshold_exceeded", "Yes", ("sram threshold", "critical", "isolate")),
        ("v13", "remapped_row_pending", "Yes", ("row remap pending", "warning", "reset_gpu")),
        ("v13", "remapped_row_failure", "Yes", ("row remap failed", "critical", "isolate")),
        ("v13", "remapped_row_unc", "512", ("rows remapped", "critical", "isolate")),
        ("v13", "unrepairable_memory", "Yes", ("row remap failed", "critical", "isolate")),
        ("v13", "channel_repair_pending", "Yes", ("repair pending", "warning", "reset_gpu")),
        ("v11", "retired_count", "63", ("pages retired", "critical", "isolate")),
        ("v11", "retired_count", "11", ("pages retired", "warning", "none")),
        ("v11", "pending_retirement", "Yes", ("page retirement pending", "warning", "reset_gpu")),
        ("v13", "gpu_temp", "89 C", ("hot", "critical", "none")),
        ("v13", "gpu_temp", "88 C", ("hot", "warning", "none")),
        ("v13", "memory_temp", "96 C", ("memory hot", "warning", "none")),
        ("v13", "clocks_event_reason_hw_power_brake_slowdown", "Active", ("throttled", "warning", "none")),
        ("v13", "clocks_event_reason_sw_thermal_slowdown", "Active", ("throttled", "warning", "none")),
        ("v13", "current_link_width", "8x", ("pcie width", "warning", "none")),
        ("v13", "state", "In Progress", ("fabric", "critical", "none")),
        ("v13", "summary", "Limited Capacity", ("fabric", "critical", "none")),
        ("v13", "gpu_temp", "GPU requires reset", ("reset required", "critical", "reset_gpu")),
        ("v13", "gpu_temp", "[GPU is lost]", ("lost", "critical", "reboot")),
        ("v13", "gpu_temp", "[Unknown Error]", ("unknown", "critical", "none")),
        ("v13", "gpu_temp", "N/A", ("unknown", "warning", "none")),
        # The average is told, too.
        ("v13", "instant_power_draw", "ERR!", None),
        ("v13", "sm_clock", "[Unknown Error]", ("unknown", "warning", "none")),
        ("v13", "dram_correctable", "20000000", None),
        ("v13", "gpu_temp", "87 C", None),
        ("v13", "clocks_event_reason_sw_power_cap", "Not Active", None),
        ("v11", "retired_count", "10", None),
        ("v13", "current_link_gen", "1", None),
    ],
)
def test_one_thing(name, tag, value, found):
    judgement = judged(changed(name, tag, value))
    assert kinds(judgement) == ([found] if found else [])
    assert all(one.index == 0 and one.serial == "S0000" for one in judgement.findings)


def test_without_its_own_limits_a_documented_one_holds():
    answer = changed("v13", "gpu_temp", "86 C")
    for tag in ("gpu_temp_slow_threshold", "gpu_temp_max_gpu_threshold"):
        answer = answer.replace(f"<{tag}>", f"<x{tag}>").replace(f"</{tag}>", f"</x{tag}>")
    assert kinds(judged(answer)) == [("hot", "warning", "none")]


def test_a_narrow_link_that_idles_is_only_told():
    answer = changed("v13", "current_link_width", "8x").replace("90 %", "0 %")
    (one,) = [each for each in judged(answer).findings if each.kind == "pcie width"]
    assert (one.severity, one.person) == ("info", False)
    assert "idle" in one.text


@pytest.mark.parametrize(
    ("expect", "found"),
    [
        (Expect(pcie_width=8), []),
        (Expect(pcie_width=32), [("pcie width", "warning", "none")] * 2),
        (Expect(pcie_generation=5), []),
        (Expect(pcie_generation=6), [("pcie generation", "warning", "none")] * 2),
        (Expect(model="b-13", ecc=True, mig=False, persistence=True), []),
        (Expect(model="H100"), [("model", "critical", "none")] * 2),
        (Expect(ecc=False), [("ecc mode", "warning", "none")] * 2),
        (Expect(mig=True), [("mig mode", "warning", "none")] * 2),
        (Expect(persistence=False), [("persistence mode", "warning", "none")] * 2),
    ],
)
def test_expectations(expect, found):
    assert kinds(judged(text("v13"), expect)) == found


def test_what_is_expected_must_be_known():
    answer = text("v13").replace("<persistence_mode>Enabled", "<persistence_mode>N/A")
    assert judged(answer).verdict == "healthy"
    assert kinds(judged(answer, Expect(persistence=True))) == [("unknown", "warning", "none")] * 2


def test_a_mode_that_changes_at_the_next_reset_is_only_told():
    judgement = judged(changed("v13", "pending_mig", "Enabled"))
    assert (judgement.verdict, [one.kind for one in judgement.findings]) == ("healthy", ["mig pending"])


def test_memory_of_nobodys_is_only_told():
    answer = text("v13").replace("90 %", "0 %")
    start = answer.index("<process_info>")
    answer = answer[:start] + answer[answer.index("</process_info>") + 15 :]
    judgement = judged(answer)
    assert (judgement.verdict, [one.kind for one in judgement.findings]) == ("healthy", ["memory left over"])


def test_a_gpu_in_parts_need_not_say_how_busy_it_is():
    answer = text("v13").replace("<current_mig>Disabled", "<current_mig>Enabled").replace("90 %", "N/A")
    assert judged(answer).verdict == "healthy"
    assert judged(text("v13").replace("90 %", "N/A")).verdict == "degraded"


def test_without_ecc_no_errors_need_be_known():
    answer = text("v12")
    for section in ("ecc_errors", "remapped_rows"):
        start, end = answer.index(f"<{section}>"), answer.index(f"</{section}>")
        while start >= 0:
            answer = answer[: start + len(section) + 2] + "N/A" + answer[end:]
            start = answer.find(f"<{section}>", start + len(section) + 10)
            end = answer.find(f"</{section}>", start)
    answer = answer.replace("ecc>Enabled", "ecc>N/A")
    assert judged(answer).verdict == "healthy"
    assert kinds(judged(answer, Expect(ecc=True))) == [("unknown", "warning", "none")] * 2
    # Disabled, with the counters that it has: a choice, and known.
    assert judged(text("v12").replace("ecc>Enabled", "ecc>Disabled")).verdict == "healthy"


def test_an_older_driver_need_not_say_what_a_gpu_needs():
    answer = text("v13").replace("gpu_recovery_action", "renamed")
    assert judged(answer).verdict == "degraded"
    assert judged(answer.replace("595.58.03", "550.54.14")).verdict == "healthy"


def test_an_error_that_was_told_before_is_told_until_it_is_settled():
    first = judged(changed("v13", "dram_uncorrectable", "1"))
    again = judged(changed("v13", "dram_uncorrectable", "1"), previous=first.state, now=NOW + 60)
    assert kinds(first) == kinds(again) == [("ecc uncorrected", "critical", "reset_gpu")]
    assert kinds(judged(text("v13"), previous=again.state, now=NOW + 120)) == []


def test_rows_that_were_replaced_long_ago_are_not_news():
    old = changed("v13", "remapped_row_unc", "3")
    first = judged(old)
    assert kinds(first) == []
    grown = judged(changed("v13", "remapped_row_unc", "4"), previous=first.state, now=NOW + 60)
    assert kinds(grown) == [("rows remapped", "warning", "reset_gpu")]


def test_packets_that_are_sent_again():
    first = judged(changed("v13", "replay_counter", "5000"))
    assert kinds(first) == []
    fast = judged(changed("v13", "replay_counter", "5020"), previous=first.state, now=NOW + 60)
    slow = judged(changed("v13", "replay_counter", "5005"), previous=first.state, now=NOW + 60)
    assert (kinds(fast), kinds(slow)) == ([("pcie replays", "warning", "none")], [])


def test_slowdowns_of_the_hardware_again_and_again_are_a_fault():
    answer = changed("v13", "clocks_event_reason_hw_slowdown", "Active")
    state, found = None, []
    for minute in range(6):
        judgement = judged(answer, previous=state, now=NOW + 60 * minute)
        state, found = judgement.state, [*found, kinds(judgement)]
    assert found == [[("throttled", "warning", "none")]] * 5 + [[("slowdowns", "critical", "isolate")]]

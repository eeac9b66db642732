# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Four generations of the schema, the last of which nobody has seen; and answers that are none."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.errors import Unreadable
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.records import Ecc
from ansible_collections.steadfast.ai_platform.plugins.module_utils.gpu.smi import read

from tests.unit.plugins.module_utils.gpu.answers import KNOWN, changed, text


@pytest.mark.parametrize("name", KNOWN)
def test_what_every_generation_says(name):
    look = read(text(name))
    assert (look.attached, len(look.gpus), look.schema) == (2, 2, f"nvsmi_device_{name}.dtd")
    assert look.driver is not None
    one = look.gpus[1]
    assert (one.index, one.serial, one.bus) == (1, "S0001", "0000:42:00.0")
    assert (one.temperature_c, one.slowdown_c, one.pcie_width, one.memory_mib) == (61.0, 89.0, 16, 81559)
    assert (one.throttle, one.ecc, one.mig, one.utilization) == (frozenset(), True, False, 90.0)
    assert one.volatile == Ecc(0, 0, 0, 0)
    assert one.processes is not None
    assert one.processes[0].memory_mib == 69990


def test_generations_differ_in_what_they_call_things():
    old, new = read(text("v11")).gpus[0], read(text("v13")).gpus[0]
    assert (old.power_w, new.power_w) == (310.25, 520.10)
    assert (old.recovery, new.recovery) == (None, "None")
    assert (old.retired_pending, old.remap_pending) == (False, None)
    assert (new.retired_pending, new.remap_pending) == (None, False)
    assert (old.unknown["remap_pending"], old.unknown["recovery"]) == ("not applicable", "missing")


def test_of_an_unseen_generation_what_kept_its_name_is_known():
    one = read(text("v14-unseen")).gpus[0]
    assert (one.name, one.pcie_width, one.power_w) == ("Made-up R-14", 16, 520.10)
    assert (one.temperature_c, one.throttle, one.recovery, one.remap_pending) == (None, None, None, None)
    assert {one.unknown[name] for name in ("temperature_c", "throttle", "recovery", "remap_pending")} == {"missing"}


def test_errors_in_single_and_double_bits():
    """As drivers before 450 tell them."""
    old = "<single_bit><device_memory>5</device_memory><total>9</total></single_bit>"
    old += "<double_bit><device_memory>1</device_memory><total>{0}</total></double_bit>"
    before = text("v11")
    start, end = before.index("<volatile>") + 10, before.index("</volatile>")
    one = read(before[:start] + old.format(3) + before[end:]).gpus[0]
    assert one.volatile == Ecc(4, 2, 5, 1)
    one = read(before[:start] + old.format("N/A") + before[end:]).gpus[0]
    assert (one.volatile.sram_uncorrected, one.unknown["volatile.sram_uncorrected"]) == (None, "not applicable")


def test_a_repair_that_waits_is_told():
    assert read(changed("v13", "tpc_repair_pending", "Yes")).gpus[0].repair == {"tpc"}


def test_the_address_is_told_twice_and_once_is_enough():
    assert read(changed("v13", "pci_bus_id", "N/A")).gpus[0].bus == "0000:41:00.0"


@pytest.mark.parametrize("tag", ["uuid", "pci_bus_id"])
def test_a_gpu_that_is_listed_twice_is_refused(tag):
    value = {"uuid": "GPU-00000000-0000-0000-0000-000000000001", "pci_bus_id": "00000000:42:00.0"}[tag]
    with pytest.raises(Unreadable, match="twice"):
        read(changed("v13", tag, value))


def test_other_documents_are_refused():
    with pytest.raises(Unreadable, match="not nvidia-smi's"):
        read("<html><gpu/></html>")
    with pytest.raises(Unreadable, match="more than 64"):
        read("<nvidia_smi_log>" + "<gpu/>" * 65 + "</nvidia_smi_log>")


def test_an_answer_that_is_cut_off_is_an_error_with_its_place():
    whole = text("v13")
    with pytest.raises(Unreadable, match="cut off or broken inside nvidia_smi_log/gpu/temperature"):
        read(whole[: whole.index("<memory_temp>", whole.index("</gpu>"))])
    # A whole GPU and no end: that half of the list is not the list.
    with pytest.raises(Unreadable, match="inside nvidia_smi_log"):
        read(whole[: whole.index("</gpu>") + 6])

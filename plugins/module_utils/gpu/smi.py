# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `nvidia-smi -q -x` answers, as records. Known are its schemas v10 to v13; of later ones, what kept its name.

NVIDIA documents that this output may change with any release. So nothing here takes a value for granted: what is
missing, renamed or said in words that are not known is unknown, and a judge must not take it for health.
"""

from __future__ import annotations

import re
from typing import Any

from ..errors import Unreadable
from .fields import MISSING, Reader
from .records import Ecc, Gpu, Look, Process, bus_id
from .tree import Node, parse

MAX_GPUS = 64
UUID = re.compile(r"GPU-[0-9a-fA-F-]{8,64}")
VERSION = re.compile(r"\d{2,4}(?:\.\d{1,4}){1,3}", re.ASCII)
WORDS = re.compile(r"[ -~]{1,128}")
# A number is no name: readings that a library leaves blank are numbers.
NAME = re.compile(r"(?=.*[A-Za-z])[ -~]{1,128}")
REPAIRS = {"channel": "ecc_errors/channel_repair_pending", "tpc": "ecc_errors/tpc_repair_pending"}
THROTTLES = ("hw_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown", "sw_thermal_slowdown")
# Two names of the same section: until driver 535, and since.
REASONS = ("clocks_event_reasons/clocks_event_reason_", "clocks_throttle_reasons/clocks_throttle_reason_")


def read(text: str) -> Look:
    """A whole answer. Raises Unreadable for one that is cut off, is none, or lists a GPU twice."""
    root, schema = parse(text)
    if root.tag != "nvidia_smi_log":
        raise Unreadable("the answer is a <{0}>, not nvidia-smi's".format(root.tag[:40]))
    found = root.all("gpu")
    if len(found) > MAX_GPUS:
        raise Unreadable(
            "the answer lists {0} GPUs; more than {1} in one host is not believed".format(len(found), MAX_GPUS)
        )
    gpus = tuple(_gpu(index, node) for index, node in enumerate(found))
    for name in ("uuid", "bus"):
        known = [getattr(gpu, name) for gpu in gpus if getattr(gpu, name) is not None]
        twice = sorted({value for value in known if known.count(value) > 1})
        if twice:
            raise Unreadable("the answer lists a GPU twice: {0}".format(twice[0]))
    host = Reader(root)
    return Look(
        gpus=gpus,
        driver=host.matching("driver", VERSION, "driver_version"),
        cuda=host.matching("cuda", VERSION, "cuda_version"),
        attached=host.count("attached", "attached_gpus"),
        schema=schema[:40],
        unknown=host.unknown,
    )


def _gpu(index: int, node: Node) -> Gpu:
    reader = Reader(node)
    values = {**_identity(reader, node), **_heat(reader), **_load(reader), **_memory(reader), **_repair(reader)}
    values.update(_links(reader))
    values.update(_modes(reader))
    values["throttle"] = _throttle(reader)
    return Gpu(index=index, unknown=reader.unknown, processes=_processes(node), **values)


def _identity(reader: Reader, node: Node) -> dict[str, Any]:
    said = reader.text("bus", "pci/pci_bus_id")
    # The address is told twice, and one of them is enough.
    bus = bus_id(said or node.attributes.get("id", ""))
    if bus is None:
        reader.unknown.setdefault("bus", "not of the known form")
    else:
        reader.unknown.pop("bus", None)
    return {
        "uuid": reader.matching("uuid", UUID, "uuid"),
        "serial": reader.matching("serial", WORDS, "serial"),
        "name": reader.matching("name", NAME, "product_name"),
        "vbios": reader.matching("vbios", WORDS, "vbios_version"),
        "minor": reader.count("minor", "minor_number"),
        "bus": bus,
    }


def _heat(reader: Reader) -> dict[str, Any]:
    return {
        "temperature_c": reader.number("temperature_c", "temperature/gpu_temp"),
        "memory_temperature_c": reader.number("memory_temperature_c", "temperature/memory_temp"),
        "slowdown_c": reader.number("slowdown_c", "temperature/gpu_temp_slow_threshold"),
        "shutdown_c": reader.number("shutdown_c", "temperature/gpu_temp_max_threshold"),
        "limit_c": reader.number("limit_c", "temperature/gpu_temp_max_gpu_threshold"),
        "memory_limit_c": reader.number("memory_limit_c", "temperature/gpu_temp_max_mem_threshold"),
        "margin_c": reader.number("margin_c", "temperature/gpu_temp_tlimit", least=-200),
    }


def _load(reader: Reader) -> dict[str, Any]:
    power = ("gpu_power_readings/instant_power_draw", "gpu_power_readings/average_power_draw")
    limit = ("gpu_power_readings/current_power_limit", "power_readings/enforced_power_limit")
    return {
        "power_w": reader.number("power_w", *power, "gpu_power_readings/power_draw", "power_readings/power_draw"),
        "power_limit_w": reader.number("power_limit_w", *limit, "power_readings/power_limit"),
        "sm_clock_mhz": reader.number("sm_clock_mhz", "clocks/sm_clock"),
        "sm_clock_max_mhz": reader.number("sm_clock_max_mhz", "max_clocks/sm_clock"),
        "utilization": reader.number("utilization", "utilization/gpu_util"),
        "performance_state": reader.matching("performance_state", re.compile(r"P\d{1,2}"), "performance_state"),
        "memory_mib": reader.count("memory_mib", "fb_memory_usage/total"),
        "memory_used_mib": reader.count("memory_used_mib", "fb_memory_usage/used"),
    }


def _memory(reader: Reader) -> dict[str, Any]:
    return {
        "ecc": reader.flag("ecc", "ecc_mode/current_ecc"),
        "ecc_pending": reader.flag("ecc_pending", "ecc_mode/pending_ecc"),
        "volatile": _ecc(reader, "volatile"),
        "aggregate": _ecc(reader, "aggregate"),
        "sram_threshold_exceeded": reader.flag(
            "sram_threshold_exceeded", "ecc_errors/aggregate/sram_threshold_exceeded"
        ),
    }


def _ecc(reader: Reader, period: str) -> Ecc:
    """Three generations: by kind of memory, that with uncorrected SRAM in two parts, and single and double bits."""
    at = "ecc_errors/" + period
    name = period + "."
    if reader.has(at + "/double_bit/total"):
        return Ecc(
            sram_corrected=_beside_dram(reader, name + "sram_corrected", at + "/single_bit"),
            sram_uncorrected=_beside_dram(reader, name + "sram_uncorrected", at + "/double_bit"),
            dram_corrected=reader.count(name + "dram_corrected", at + "/single_bit/device_memory"),
            dram_uncorrected=reader.count(name + "dram_uncorrected", at + "/double_bit/device_memory"),
        )
    uncorrected = [at + "/sram_uncorrectable"]
    if reader.has(at + "/sram_uncorrectable_parity"):
        uncorrected = [at + "/sram_uncorrectable_parity", at + "/sram_uncorrectable_secded"]
    return Ecc(
        sram_corrected=reader.count(name + "sram_corrected", at + "/sram_correctable"),
        sram_uncorrected=reader.total(name + "sram_uncorrected", *uncorrected),
        dram_corrected=reader.count(name + "dram_corrected", at + "/dram_correctable"),
        dram_uncorrected=reader.count(name + "dram_uncorrected", at + "/dram_uncorrectable"),
    )


def _beside_dram(reader: Reader, field: str, at: str) -> int | None:
    total, dram = reader.count(field, at + "/total"), reader.count(field, at + "/device_memory")
    return total - dram if total is not None and dram is not None and total >= dram else None


def _repair(reader: Reader) -> dict[str, Any]:
    pages, rows = "retired_pages/", "remapped_rows/remapped_row_"
    return {
        "retired_single": reader.count("retired_single", pages + "multiple_single_bit_retirement/retired_count"),
        "retired_double": reader.count("retired_double", pages + "double_bit_retirement/retired_count"),
        "retired_pending": reader.flag("retired_pending", pages + "pending_retirement", pages + "pending_blacklist"),
        "remap_corrected": reader.count("remap_corrected", rows + "corr"),
        "remap_uncorrected": reader.count("remap_uncorrected", rows + "unc"),
        "remap_pending": reader.flag("remap_pending", rows + "pending"),
        "remap_failed": reader.flag("remap_failed", rows + "failure"),
        "unrepairable": reader.flag("unrepairable", "ecc_errors/unrepairable_memory"),
        "repair": frozenset(name for name, path in REPAIRS.items() if reader.flag(name + "_repair", path)),
    }


def _links(reader: Reader) -> dict[str, Any]:
    at = "pci/pci_gpu_link_info/"
    generation = at + "pcie_gen/"
    return {
        "pcie_generation": reader.count(
            "pcie_generation", generation + "current_link_gen", generation + "device_current_link_gen"
        ),
        "pcie_generation_max": reader.count("pcie_generation_max", generation + "max_link_gen"),
        "pcie_width": reader.count("pcie_width", at + "link_widths/current_link_width"),
        "pcie_width_max": reader.count("pcie_width_max", at + "link_widths/max_link_width"),
        "pcie_replays": reader.count("pcie_replays", "pci/replay_counter"),
        "fabric_state": reader.text("fabric_state", "fabric/state"),
        "fabric_status": reader.text("fabric_status", "fabric/status"),
        "fabric_health": reader.text("fabric_health", "fabric/health/summary"),
    }


def _modes(reader: Reader) -> dict[str, Any]:
    return {
        "persistence": reader.flag("persistence", "persistence_mode"),
        "mig": reader.flag("mig", "mig_mode/current_mig"),
        "mig_pending": reader.flag("mig_pending", "mig_mode/pending_mig"),
        "recovery": reader.text("recovery", "gpu_recovery_action"),
    }


def _throttle(reader: Reader) -> frozenset[str] | None:
    active = {name: reader.flag("throttle", *(section + name for section in REASONS)) for name in THROTTLES}
    if None in active.values():
        reader.unknown.setdefault("throttle", MISSING)
        return None
    return frozenset(name for name, yes in active.items() if yes)


def _processes(node: Node) -> tuple[Process, ...] | None:
    section = node.find("processes")
    if section is None or (section.text.strip() and not section.children):
        return None
    found = []
    for process in section.all("process_info"):
        reader = Reader(process)
        pid = reader.count("pid", "pid")
        name = reader.text("name", "process_name") or ""
        found.append(Process(pid or 0, name[:256], reader.count("memory", "used_memory")))
    return tuple(found)

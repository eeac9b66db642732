# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with one GPU by what nvidia-smi says of it. Thresholds and their sources: `expect.py`."""

from __future__ import annotations

from typing import Any

from .expect import Expect, Limits
from .fields import EMPTY, MISSING, NOT_APPLICABLE
from .findings import CRITICAL, INFO, ISOLATE, NONE, REBOOT, RESET_GPU, WARNING, Finding
from .growth import DRAM, DRAM_CORRECTED, REPLAYS, ROWS, SRAM, SRAM_CORRECTED, Grown, History
from .records import Ecc, Gpu
from .recovery import recovery

SMI = "nvidia-smi"
# Without these nobody can say that a GPU is well.
NEEDED = ("uuid", "name", "bus", "temperature_c", "memory_mib", "pcie_width", "throttle")
ERRORS_NEEDED = ("volatile.sram_uncorrected", "volatile.dram_uncorrected")
# The driver tells what a GPU needs since then.
RECOVERY_SINCE = 570
GOOD_FABRIC = {"state": {"completed"}, "status": {"success"}, "health": {"healthy"}}
NO_REASON = {MISSING, NOT_APPLICABLE, EMPTY}


def of(gpu: Gpu, kind: str, severity: str, text: str, action: str = NONE, person: bool = False, **more: Any) -> Finding:
    """A finding about this GPU."""
    source = more.pop("source", SMI)
    said = "GPU {0}: {1}".format(gpu.index, text)
    return Finding(kind, severity, said, source, action, person, gpu.index, gpu.uuid or "", gpu.serial or "", more)


def check(gpu: Gpu, history: History, driver: str | None, expect: Expect, limits: Limits) -> list[Finding]:
    """Everything about one GPU but its XIDs."""
    return [
        *_unknown(gpu, driver, expect),
        *_recovery(gpu),
        *_memory(gpu, history, limits),
        *_rows(gpu, history, limits),
        *_pages(gpu, limits),
        *_heat(gpu, limits),
        *_clocks(gpu, history, limits),
        *_link(gpu, history, expect, limits),
        *_fabric(gpu),
        *_modes(gpu, expect),
        *_left_over(gpu, limits),
    ]


def needed_fields(gpu: Gpu, driver: str | None, expect: Expect) -> list[str]:
    """What must be known of this GPU before it can be called well."""
    fields = [*NEEDED]
    if not gpu.mig:
        # A GPU in parts does not tell how busy the whole is.
        fields.append("utilization")
    if expect.pcie_width is None:
        fields.append("pcie_width_max")
    if expect.pcie_generation is not None:
        fields.append("pcie_generation")
    if expect.mig is not None:
        fields.append("mig")
    if expect.persistence is not None:
        fields.append("persistence")
    if gpu.ecc or expect.ecc:
        fields += ["ecc", *ERRORS_NEEDED, *_repairs_needed(gpu)]
    elif gpu.ecc is None and (gpu.unknown.get("ecc") != NOT_APPLICABLE or _has_ecc(gpu)):
        # A GPU without ECC says so, and then counts no errors; one that does not say may have it.
        fields.append("ecc")
    if gpu.unknown.get("recovery") not in (None, NOT_APPLICABLE) and _has_recovery(driver, gpu):
        fields.append("recovery")
    return fields


def _has_recovery(driver: str | None, gpu: Gpu) -> bool:
    major = (driver or "").split(".")[0]
    return gpu.unknown["recovery"] != MISSING or not major.isdecimal() or int(major) >= RECOVERY_SINCE


def _has_ecc(gpu: Gpu) -> bool:
    repairs = (gpu.remap_pending, gpu.remap_failed, gpu.retired_pending, gpu.retired_single, gpu.retired_double)
    return gpu.volatile != Ecc() or gpu.aggregate != Ecc() or any(one is not None for one in repairs)


def _repairs_needed(gpu: Gpu) -> list[str]:
    """Bad memory is repaired by rows or by pages; one of them must be told."""
    pages = ("retired_pending", "retired_single", "retired_double")
    return [] if not any(name in gpu.unknown for name in pages) else ["remap_pending", "remap_failed"]


def _unknown(gpu: Gpu, driver: str | None, expect: Expect) -> list[Finding]:
    """Fields without a value, and those that say an error in the place of one."""
    needed = needed_fields(gpu, driver, expect)
    lacking = {name: gpu.unknown[name] for name in needed if name in gpu.unknown}
    troubled = {name: why for name, why in gpu.unknown.items() if why not in NO_REASON}
    told = " ".join(troubled.values()).lower()
    if "reset" in told:
        return [of(gpu, "reset required", CRITICAL, "it says that it needs a reset", RESET_GPU, unknown=troubled)]
    if "is lost" in told:
        return [of(gpu, "lost", CRITICAL, "it says that it is lost", REBOOT, unknown=troubled)]
    if not lacking and not troubled:
        return []
    both = {**lacking, **troubled}
    text = "not known: " + ", ".join("{0} ({1})".format(*pair) for pair in sorted(both.items())[:6])
    broken = any(why not in NO_REASON for why in lacking.values())
    return [of(gpu, "unknown", CRITICAL if broken else WARNING, text, person=True, unknown=both)]


def _recovery(gpu: Gpu) -> list[Finding]:
    said = recovery(gpu.recovery)
    if said is None or said.action == NONE:
        return []
    text = "the driver asks for: {0}".format(said.word[:60])
    action = said.action or NONE
    return [of(gpu, "recovery action", CRITICAL, text, action, said.action is None, said=said.word[:60])]


def _memory(gpu: Gpu, history: History, limits: Limits) -> list[Finding]:
    found = []
    for name in (SRAM, DRAM):
        grown = history.grown.get(name)
        if grown:
            text = "{0} memory errors that could not be corrected ({1})".format(grown.by, name.split()[1].upper())
            found.append(of(gpu, "ecc uncorrected", CRITICAL, text, RESET_GPU, **_numbers(name, grown)))
    for name, limit in ((SRAM_CORRECTED, limits.sram_corrected), (DRAM_CORRECTED, limits.dram_corrected)):
        grown = history.grown.get(name)
        value = history.counters.get(name, 0)
        if grown and value > limit:
            text = "{0} corrected memory errors since the driver was loaded, more than {1}".format(value, limit)
            found.append(of(gpu, "ecc corrected", WARNING, text, person=True, limit=limit, **_numbers(name, grown)))
    if gpu.sram_threshold_exceeded:
        text = "more SRAM errors than NVIDIA allows: the GPU is to be exchanged"
        found.append(of(gpu, "sram threshold", CRITICAL, text, ISOLATE, True))
    return found


def _numbers(name: str, grown: Grown) -> dict[str, Any]:
    return {"counter": name, "grown": grown.by, "at": grown.at}


def _rows(gpu: Gpu, history: History, limits: Limits) -> list[Finding]:
    found = []
    if gpu.remap_failed or gpu.unrepairable:
        text = "a bad row of its memory cannot be replaced: the GPU is to be exchanged"
        found.append(of(gpu, "row remap failed", CRITICAL, text, ISOLATE, True))
    if gpu.remap_uncorrected is not None and gpu.remap_uncorrected >= limits.rows:
        text = "{0} rows of its memory are replaced, the limit is {1}".format(gpu.remap_uncorrected, limits.rows)
        found.append(of(gpu, "rows remapped", CRITICAL, text, ISOLATE, True, rows=gpu.remap_uncorrected))
    elif ROWS in history.grown:
        grown = history.grown[ROWS]
        text = "{0} rows of its memory were replaced".format(grown.by)
        found.append(of(gpu, "rows remapped", WARNING, text, RESET_GPU, **_numbers(ROWS, grown)))
    if gpu.remap_pending:
        # New work does not use the bad row: no emergency, and due at the next drain.
        text = "a row of its memory is to be replaced at its next reset"
        found.append(of(gpu, "row remap pending", WARNING, text, RESET_GPU))
    if gpu.repair:
        text = "a repair waits for its next reset: {0}".format(", ".join(sorted(gpu.repair)))
        found.append(of(gpu, "repair pending", WARNING, text, RESET_GPU))
    return found


def _pages(gpu: Gpu, limits: Limits) -> list[Finding]:
    found = []
    if gpu.retired_pending:
        text = "pages of its memory are to be taken out of use at its next reset"
        found.append(of(gpu, "page retirement pending", WARNING, text, RESET_GPU))
    if gpu.retired_single is None or gpu.retired_double is None:
        return found
    pages = gpu.retired_single + gpu.retired_double
    text = "{0} pages of its memory are out of use, the limit is {1}"
    if pages >= limits.pages:
        found.append(of(gpu, "pages retired", CRITICAL, text.format(pages, limits.pages), ISOLATE, True, pages=pages))
    elif pages > limits.pages_warning:
        found.append(of(gpu, "pages retired", WARNING, text.format(pages, limits.pages), person=True, pages=pages))
    return found


def _heat(gpu: Gpu, limits: Limits) -> list[Finding]:
    found = []
    heat = gpu.temperature_c
    limit = gpu.limit_c or gpu.slowdown_c or limits.hot_c
    if heat is not None and gpu.slowdown_c and heat >= gpu.slowdown_c:
        text = "{0:.0f} C, from {1:.0f} C on it slows itself down".format(heat, gpu.slowdown_c)
        found.append(of(gpu, "hot", CRITICAL, text, person=True, celsius=heat, limit=gpu.slowdown_c))
    elif heat is not None and heat > limit:
        text = "{0:.0f} C, the limit is {1:.0f} C".format(heat, limit)
        found.append(of(gpu, "hot", WARNING, text, person=True, celsius=heat, limit=limit))
    memory = gpu.memory_temperature_c
    if memory is not None and gpu.memory_limit_c and memory > gpu.memory_limit_c:
        text = "its memory has {0:.0f} C, the limit is {1:.0f} C".format(memory, gpu.memory_limit_c)
        found.append(of(gpu, "memory hot", WARNING, text, person=True, celsius=memory, limit=gpu.memory_limit_c))
    return found


def _clocks(gpu: Gpu, history: History, limits: Limits) -> list[Finding]:
    rate = len(history.slowed) / (limits.slowdown_window_s / 60)
    # Ten looks of ten are 0.6 of what ten minutes allow, written in floating point.
    if history.slowed and rate >= limits.slowdowns_per_minute - 1e-9:
        text = "the hardware held its clocks back {0:.1f} times a minute, the limit is {1:.1f}"
        text = text.format(rate, limits.slowdowns_per_minute)
        return [of(gpu, "slowdowns", CRITICAL, text, ISOLATE, True, per_minute=round(rate, 2))]
    if gpu.throttle:
        text = "its clocks are held back: {0}".format(", ".join(sorted(gpu.throttle)))
        return [of(gpu, "throttled", WARNING, text, person=True, reasons=sorted(gpu.throttle))]
    return []


def _link(gpu: Gpu, history: History, expect: Expect, limits: Limits) -> list[Finding]:
    found = []
    busy = gpu.utilization is not None and gpu.utilization >= 100 * limits.busy
    severity, note = (WARNING, "") if busy else (INFO, " (idle: not judged)")
    width = expect.pcie_width or gpu.pcie_width_max
    if gpu.pcie_width is not None and width is not None and gpu.pcie_width < width:
        text = "{0} of {1} PCIe lanes{2}".format(gpu.pcie_width, width, note)
        found.append(of(gpu, "pcie width", severity, text, person=busy, lanes=gpu.pcie_width, expected=width))
    generation = expect.pcie_generation
    if gpu.pcie_generation is not None and generation is not None and gpu.pcie_generation < generation:
        text = "PCIe generation {0}, expected {1}{2}".format(gpu.pcie_generation, generation, note)
        found.append(of(gpu, "pcie generation", severity, text, person=busy, generation=gpu.pcie_generation))
    grown = history.grown.get(REPLAYS)
    if grown and grown.at == history.at and (grown.per_minute or 0) > limits.replays_per_minute:
        text = "{0:.0f} PCIe packets a minute sent again, the limit is {1:.0f}"
        text = text.format(grown.per_minute, limits.replays_per_minute)
        found.append(of(gpu, "pcie replays", WARNING, text, person=True, per_minute=grown.per_minute))
    return found


def _fabric(gpu: Gpu) -> list[Finding]:
    said = {"state": gpu.fabric_state, "status": gpu.fabric_status, "health": gpu.fabric_health}
    bad = {what: word for what, word in said.items() if word is not None and word.lower() not in GOOD_FABRIC[what]}
    if not bad:
        return []
    text = "its fabric is not well: " + ", ".join("{0} {1}".format(what, word[:40]) for what, word in bad.items())
    return [of(gpu, "fabric", CRITICAL, text, person=True, **bad)]


def _modes(gpu: Gpu, expect: Expect) -> list[Finding]:
    found = []
    for name, wanted in (("ecc", expect.ecc), ("mig", expect.mig), ("persistence", expect.persistence)):
        is_so = getattr(gpu, name)
        if wanted is not None and is_so is not None and is_so != wanted:
            text = "{0} is {1}, expected {2}".format(name, *("on" if yes else "off" for yes in (is_so, wanted)))
            found.append(of(gpu, name + " mode", WARNING, text, person=True, source="inventory"))
    for name, now, pending in (("ecc", gpu.ecc, gpu.ecc_pending), ("mig", gpu.mig, gpu.mig_pending)):
        if now is not None and pending is not None and now != pending:
            found.append(of(gpu, name + " pending", INFO, "{0} changes at its next reset".format(name)))
    model = expect.model
    if model is not None and gpu.name is not None and model.lower() not in gpu.name.lower():
        text = "is a {0}, expected {1}".format(gpu.name, model)
        found.append(of(gpu, "model", CRITICAL, text, person=True, source="inventory"))
    return found


def _left_over(gpu: Gpu, limits: Limits) -> list[Finding]:
    """Memory of nobody's. Processes of containers are not always listed, so it is only worth knowing."""
    used = gpu.memory_used_mib
    if used is None or used <= limits.idle_memory_mib or gpu.processes is None or gpu.processes or gpu.utilization:
        return []
    text = "{0} MiB of its memory are in use and no process is listed".format(used)
    return [of(gpu, "memory left over", INFO, text, mib=used)]

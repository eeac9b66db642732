# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a GPU and its host are, as they were seen. None is unknown; `unknown` says why."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

BUS = re.compile(r"(?:PCI:)?([0-9a-fA-F]{1,8}):([0-9a-fA-F]{2}):([0-9a-fA-F]{2})(?:\.([0-7]))?")


def bus_id(said: str) -> str | None:
    """A PCI address in the kernel's form, 0000:04:00.0, whoever wrote it; None when it is none."""
    found = BUS.fullmatch(said.strip())
    if not found:
        return None
    return "{0:04x}:{1}:{2}.{3}".format(int(found[1], 16), found[2].lower(), found[3].lower(), found[4] or "0")


@dataclass(frozen=True)
class Ecc:
    """Memory errors: corrected or not, in SRAM (caches, registers) or DRAM."""

    sram_corrected: int | None = None
    sram_uncorrected: int | None = None
    dram_corrected: int | None = None
    dram_uncorrected: int | None = None


@dataclass(frozen=True)
class Process:
    """A process that uses a GPU."""

    pid: int
    name: str
    memory_mib: int | None


@dataclass(frozen=True)
class Gpu:
    """One GPU. Temperatures in degrees Celsius, power in watts, clocks in MHz, memory in MiB.

    Args:
        index: its place in nvidia-smi's list.
        bus: its PCI address in the kernel's form.
        slowdown_c: it slows itself down from here on; shutdown_c: it switches itself off; limit_c: to stay under.
        margin_c: degrees left until it slows down, on GPUs that tell this instead.
        throttle: reasons that hold its clocks back now.
        volatile: memory errors since the driver was loaded; aggregate: in its life.
        retired_*: pages of memory taken out of use (before Ampere); remap_*: rows replaced by spares (since Ampere).
        repair: names of other repairs that wait for a reset.
        processes: None when it does not tell.
        recovery: the driver's word on what it needs.
        unknown: field to the reason why its value is not known.
    """

    index: int
    uuid: str | None = None
    serial: str | None = None
    name: str | None = None
    bus: str | None = None
    minor: int | None = None
    vbios: str | None = None
    temperature_c: float | None = None
    memory_temperature_c: float | None = None
    slowdown_c: float | None = None
    shutdown_c: float | None = None
    limit_c: float | None = None
    memory_limit_c: float | None = None
    margin_c: float | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    sm_clock_mhz: float | None = None
    sm_clock_max_mhz: float | None = None
    utilization: float | None = None
    performance_state: str | None = None
    throttle: frozenset[str] | None = None
    memory_mib: int | None = None
    memory_used_mib: int | None = None
    ecc: bool | None = None
    ecc_pending: bool | None = None
    volatile: Ecc = Ecc()
    aggregate: Ecc = Ecc()
    sram_threshold_exceeded: bool | None = None
    retired_single: int | None = None
    retired_double: int | None = None
    retired_pending: bool | None = None
    remap_corrected: int | None = None
    remap_uncorrected: int | None = None
    remap_pending: bool | None = None
    remap_failed: bool | None = None
    unrepairable: bool | None = None
    repair: frozenset[str] = frozenset()
    pcie_generation: int | None = None
    pcie_generation_max: int | None = None
    pcie_width: int | None = None
    pcie_width_max: int | None = None
    pcie_replays: int | None = None
    persistence: bool | None = None
    mig: bool | None = None
    mig_pending: bool | None = None
    recovery: str | None = None
    fabric_state: str | None = None
    fabric_status: str | None = None
    fabric_health: str | None = None
    processes: tuple[Process, ...] | None = None
    unknown: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Trouble:
    """What nvidia-smi said instead of an answer, or beside it. `bus` when it names a GPU."""

    kind: str
    said: str
    bus: str | None = None


@dataclass(frozen=True)
class Look:
    """One answer of nvidia-smi.

    Args:
        attached: how many GPUs it says there are, whether it lists them or not.
        schema: name of the DTD.
    """

    gpus: tuple[Gpu, ...] = ()
    driver: str | None = None
    cuda: str | None = None
    attached: int | None = None
    schema: str = ""
    troubles: tuple[Trouble, ...] = ()
    unknown: dict[str, str] = field(default_factory=dict)

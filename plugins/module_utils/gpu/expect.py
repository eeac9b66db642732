# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says of a host's GPUs, and from where on a reading is wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Expect:
    """What should be there. None: the inventory does not say.

    Args:
        count: GPUs.
        model: part of every GPU's name.
        driver: version, or how it begins: 570 or 570.124.04.
        pcie_width: lanes. pcie_generation: while it works; an idle link trains down.
        nvlinks: active links of each GPU.
        ecc, mig, persistence: on or off.
    """

    count: int | None = None
    model: str | None = None
    driver: str | None = None
    pcie_width: int | None = None
    pcie_generation: int | None = None
    nvlinks: int | None = None
    ecc: bool | None = None
    mig: bool | None = None
    persistence: bool | None = None


@dataclass(frozen=True)
class Limits:
    """Thresholds, with their sources.

    Args:
        hot_c: for GPUs that do not tell their own limit; as the alert GpuHot.
        slowdowns_per_minute, slowdown_window_s: gpud hw-slowdown: 0.6 a minute over 10 minutes.
        busy: fraction of time in which the GPU works, from where on its link is judged; ours.
        rows: replaced after errors that could not be corrected; DCGM and Azure: 512.
        pages, pages_warning: taken out of use; DCGM: 63, gcm: more than 10.
        sram_corrected, dram_corrected: since the driver was loaded; Azure for H100: 10 000 and 20 000 000.
        replays_per_minute: PCIe packets sent again; ours: DCGM's limit depends on the link.
        idle_memory_mib: in use without a process; gcm: 15.
        hold_s: how long an error counter that grew is told of; gpud looks back 3 days.
        app_hold_s: how long an error that asks for a restart of the application is told of; ours.
        repeats: boots in which the same error came, from where on a reboot is no cure; gpud: 2 within 3 days.
    """

    hot_c: float = 85.0
    slowdowns_per_minute: float = 0.6
    slowdown_window_s: float = 600.0
    busy: float = 0.1
    rows: int = 512
    pages: int = 63
    pages_warning: int = 10
    sram_corrected: int = 10_000
    dram_corrected: int = 20_000_000
    replays_per_minute: float = 10.0
    idle_memory_mib: int = 15
    hold_s: float = 3 * 86400.0
    app_hold_s: float = 600.0
    repeats: int = 2
    repeats_s: float = 3 * 86400.0


LIMITS = Limits()

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the probe tells Prometheus of a host's GPUs, for the node exporter's textfile collector."""

from __future__ import annotations

from collections.abc import Iterator

from ..exposition import gauges
from .findings import CRITICAL, INFO
from .judge import Judgement
from .records import Gpu

HELP = {
    "steadfast_gpu_probe_last_run_timestamp_seconds": "When the probe last looked.",
    "steadfast_gpu_probe_success": "1 when the probe could read what it judges.",
    "steadfast_gpu_count": "GPUs that nvidia-smi lists; absent when it could not be read.",
    "steadfast_gpu_expected_count": "GPUs that the inventory says there are.",
    "steadfast_gpu_finding": "1 for each thing that is wrong. What is only worth knowing is not told here.",
    "steadfast_gpu_healthy": "1 for a GPU without a finding.",
    "steadfast_gpu_node_healthy": "1 for a host without a finding, its GPUs included.",
    "steadfast_gpu_temperature_celsius": "Temperature.",
    "steadfast_gpu_power_watts": "Power drawn.",
    "steadfast_gpu_utilization_ratio": "Share of time in which the GPU worked.",
    "steadfast_gpu_memory_used_bytes": "Memory in use.",
    "steadfast_gpu_memory_bytes": "Memory that there is.",
}
MEBIBYTE = 1024 * 1024

Sample = tuple[str, "dict[str, str]", float]


def textfile(judged: Judgement, gpus: tuple[Gpu, ...] | None, expected: int | None, at: float, success: bool) -> str:
    """The exposition format. `gpus` is None when nvidia-smi could not be read; `at` in seconds since the epoch."""
    return gauges(HELP, _samples(judged, gpus, expected, at, success))


def _samples(
    judged: Judgement, gpus: tuple[Gpu, ...] | None, expected: int | None, at: float, success: bool
) -> Iterator[Sample]:
    yield "steadfast_gpu_probe_last_run_timestamp_seconds", {}, at
    yield "steadfast_gpu_probe_success", {}, success
    if expected is not None:
        yield "steadfast_gpu_expected_count", {}, expected
    if judged.present or judged.findings:
        yield "steadfast_gpu_node_healthy", {}, judged.verdict == "healthy"
    wrong = [one for one in judged.findings if one.severity != INFO]
    for one in wrong:
        labels = {"gpu": "" if one.index is None else str(one.index), "uuid": one.uuid, "serial": one.serial}
        yield "steadfast_gpu_finding", {**labels, "kind": one.kind, "severity": one.severity, "action": one.action}, 1
    if gpus is None:
        return
    yield "steadfast_gpu_count", {}, len(gpus)
    ill = {one.index for one in wrong}
    # What is wrong with the host, and critical, is wrong with every GPU of it.
    host = any(one.index is None and one.severity == CRITICAL for one in wrong)
    for gpu in gpus:
        yield from _gpu(gpu, gpu.index not in ill and not host)


def _gpu(gpu: Gpu, healthy: bool) -> Iterator[Sample]:
    labels = {"gpu": str(gpu.index), "uuid": gpu.uuid or ""}
    yield "steadfast_gpu_healthy", labels, healthy
    known = (
        ("steadfast_gpu_temperature_celsius", gpu.temperature_c, 1.0),
        ("steadfast_gpu_power_watts", gpu.power_w, 1.0),
        ("steadfast_gpu_utilization_ratio", gpu.utilization, 0.01),
        ("steadfast_gpu_memory_used_bytes", gpu.memory_used_mib, MEBIBYTE),
        ("steadfast_gpu_memory_bytes", gpu.memory_mib, MEBIBYTE),
    )
    for name, value, unit in known:
        if value is not None:
            yield name, labels, value * unit

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict over a host's GPUs, and the one action that it needs. Nothing here asks anybody anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import checks, xids
from .expect import LIMITS, Expect, Limits
from .findings import CRITICAL, INFO, NONE, REBOOT, WARNING, Finding, needed, verdict, worst_first
from .growth import MAX_GPUS, follow, recall, remember
from .incidents import fold
from .kernel_log import Event
from .policy import Policy
from .records import Gpu, Look
from .refusals import LOST, MEANING, NO_DEVICES, NO_PROGRAM, OF_A_GPU, RESET, UNREACHABLE

SMI, PCI, INVENTORY = "nvidia-smi", "pci", "inventory"
HOST_NEEDED = ("driver", "attached")
NVIDIA_DRIVER = "nvidia"
# A GPU that is given to a virtual machine is not this host's to judge.
GIVEN_AWAY = {"vfio-pci", "nvidia-vgpu-vfio", "pci-stub"}


@dataclass(frozen=True)
class Seen:
    """What was seen of a host in one look.

    Args:
        look: nvidia-smi's answer; None when it could not be read, which `unread` explains.
        events: of the kernel's log; None when it could not be read.
        now: seconds since the epoch.
        boot: the present boot's id.
        on_bus: NVIDIA's GPUs by PCI address, with the name of the kernel's driver for each; None: not known.
        nvlinks: active links by uuid; None: not asked.
    """

    look: Look | None
    events: list[Event] | None
    now: float
    boot: str
    on_bus: Mapping[str, str] | None = None
    nvlinks: Mapping[str, int] | None = None
    unread: str = ""
    log_unread: str = ""


@dataclass(frozen=True)
class Judgement:
    """The verdict, what it rests on, the action and why; `state` is what the next look must know."""

    verdict: str
    findings: list[Finding]
    action: str
    why: str
    present: bool
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All of it in one line."""
        if not self.present and not self.findings:
            return "there is no NVIDIA GPU"
        told = [one.text for one in self.findings if one.severity != INFO]
        return "the GPUs are {0}".format(self.verdict) + "".join("; " + text for text in told)


def judge(seen: Seen, expect: Expect, policy: Policy, previous: Any = None, limits: Limits = LIMITS) -> Judgement:
    """What is wrong, whatever the order it was seen in. `previous` is the state of the last judgement, if any."""
    look = seen.look or Look()
    present = bool(seen.look is None or look.gpus or look.attached or seen.on_bus or seen.events or _asked(seen, look))
    if not present and not expect.count:
        return Judgement("healthy", [], NONE, "", False, remember(recall(previous)))
    histories = recall(previous)
    found = [*_host(seen, look, expect), *_bus(seen, look), *_log(seen, look, policy, limits)]
    for gpu in look.gpus:
        history = follow(gpu, histories.get(gpu.uuid or ""), seen.now, limits)
        found += checks.check(gpu, history, look.driver, expect, limits)
        found += _nvlinks(gpu, seen, expect)
        if gpu.uuid:
            histories[gpu.uuid] = history
    ordered = worst_first(found)
    action, why = needed(ordered)
    newest = dict(sorted(histories.items(), key=lambda pair: -pair[1].at)[:MAX_GPUS])
    return Judgement(verdict(ordered), ordered, action, why, present, remember(newest))


def listed(look: Look | None) -> tuple[Gpu, ...] | None:
    """The GPUs that nvidia-smi lists; None when it could not say whether there are any."""
    if look is None or (not look.gpus and any(one.kind != NO_DEVICES for one in look.troubles)):
        return None
    return look.gpus


def _asked(seen: Seen, look: Look) -> bool:
    """Whether nvidia-smi told of trouble with a GPU, or of any while nobody knows that there is no GPU to have it."""
    told = {one.kind for one in look.troubles}
    return bool(told & OF_A_GPU) or (seen.on_bus is None and bool(told - {NO_PROGRAM, NO_DEVICES}))


def _host(seen: Seen, look: Look, expect: Expect) -> list[Finding]:
    """What nvidia-smi refused, what it does not say of the host, and what the inventory expects of it."""
    if seen.look is None:
        return [Finding("unknown", CRITICAL, seen.unread or "nvidia-smi could not be read", SMI, person=True)]
    found = [_trouble(one.kind, one.said, one.bus, look) for one in look.troubles]
    lacking = {name: look.unknown[name] for name in HOST_NEEDED if name in look.unknown}
    if lacking:
        text = "nvidia-smi does not say: {0}".format(", ".join(sorted(lacking)))
        found.append(Finding("unknown", WARNING, text, SMI, person=True, evidence={"unknown": lacking}))
    if look.attached is not None and look.attached != len(look.gpus):
        text = "nvidia-smi counts {0} GPUs and lists {1}".format(look.attached, len(look.gpus))
        evidence = {"attached": look.attached, "listed": len(look.gpus)}
        found.append(Finding("count", CRITICAL, text, SMI, REBOOT, evidence=evidence))
    if not look.gpus and not look.troubles:
        found.append(Finding("no devices", CRITICAL, "nvidia-smi lists no GPU", SMI, REBOOT))
    if expect.count is not None and listed(look) is not None and len(look.gpus) != expect.count:
        fewer = len(look.gpus) < expect.count
        text = "{0} GPUs, expected {1}".format(len(look.gpus), expect.count)
        action = REBOOT if fewer and look.gpus else NONE
        evidence = {"count": len(look.gpus), "expected": expect.count}
        found.append(Finding("count", CRITICAL, text, INVENTORY, action, not fewer, evidence=evidence))
    if expect.driver is not None and look.driver is not None and not _begins(look.driver, expect.driver):
        text = "driver {0}, expected {1}".format(look.driver, expect.driver)
        found.append(Finding("driver version", WARNING, text, INVENTORY, person=True))
    return found


def _begins(version: str, wanted: str) -> bool:
    parts = wanted.split(".")
    return version.split(".")[: len(parts)] == parts


def _trouble(kind: str, said: str, bus: str | None, look: Look) -> Finding:
    severity, action, person, meaning = MEANING[kind]
    gpu = next((one for one in look.gpus if bus and one.bus == bus), None)
    at = " ({0})".format(bus) if bus and kind in (LOST, RESET, UNREACHABLE) else ""
    text = meaning + at + (": " + said if said else "")
    evidence = {"said": said, "bus": bus or ""}
    if gpu is None:
        return Finding(kind, severity, text, SMI, action, person, evidence=evidence)
    return Finding(kind, severity, text, SMI, action, person, gpu.index, gpu.uuid or "", gpu.serial or "", evidence)


def _bus(seen: Seen, look: Look) -> list[Finding]:
    """GPUs that are on the PCI bus and do not answer."""
    listed = {gpu.bus for gpu in look.gpus}
    if seen.look is None or (look.troubles and not look.gpus):
        # Nothing is listed, and why has been said.
        return []
    found = []
    for bus, driver in sorted((seen.on_bus or {}).items()):
        if bus in listed or driver in GIVEN_AWAY:
            continue
        text = "the GPU at {0} is on the PCI bus and nvidia-smi does not list it (driver: {1})"
        action, person = (REBOOT, False) if driver == NVIDIA_DRIVER else (NONE, True)
        evidence = {"bus": bus, "driver": driver}
        said = text.format(bus, driver or "none")
        found.append(Finding("not listed", CRITICAL, said, PCI, action, person, evidence=evidence))
    return found


def _log(seen: Seen, look: Look, policy: Policy, limits: Limits) -> list[Finding]:
    if seen.events is None:
        text = seen.log_unread or "the kernel's log could not be read: XIDs are not known"
        return [Finding("log unknown", WARNING, text, xids.LOG, person=True)]
    log = xids.Log(fold(seen.events), seen.boot, seen.now)
    return xids.check(log, look.gpus, policy, limits)


def _nvlinks(gpu: Gpu, seen: Seen, expect: Expect) -> list[Finding]:
    if expect.nvlinks is None:
        return []
    active = (seen.nvlinks or {}).get(gpu.uuid or "")
    if active is None:
        return [checks.of(gpu, "unknown", WARNING, "its NVLinks are not known", person=True)]
    if active >= expect.nvlinks:
        return []
    text = "{0} of {1} NVLinks are active".format(active, expect.nvlinks)
    return [checks.of(gpu, "nvlinks", CRITICAL, text, person=True, active=active, expected=expect.nvlinks)]

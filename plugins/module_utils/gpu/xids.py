# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel's log says of GPUs, as findings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .expect import Limits
from .findings import (
    CRITICAL,
    INFO,
    ISOLATE,
    NONE,
    REBOOT,
    RESET_GPU,
    RESTART_APP,
    WARNING,
    Finding,
    worst_action,
)
from .incidents import Incident
from .kernel_log import SXID, XID
from .policy import CAUTIOUS, RECOVERY_CHANGED, Decision, Policy, decide, decide_sxid
from .records import Gpu
from .recovery import Recovery, recovery, told
from .xid_policy import XIDS

LOG = "kernel log"
# gpud reboots for it on paper, and never calls the hardware bad however often it comes.
NEVER_HARDWARE = {94}
REPAIRS = (RESET_GPU, REBOOT)


@dataclass(frozen=True)
class Log:
    """The incidents, the boot that the host is in, and the time, in seconds since the epoch."""

    incidents: list[Incident]
    boot: str
    now: float


def check(log: Log, gpus: tuple[Gpu, ...], policy: Policy, limits: Limits) -> list[Finding]:
    """One finding for each incident; removed channels and other followers that ask for nothing in one for all GPUs."""
    by_bus = {gpu.bus: gpu for gpu in gpus if gpu.bus}
    drivers = {bus: _driver(bus, by_bus.get(bus), log) for bus in {one.bus for one in log.incidents}}
    found, followers = [], []
    for one in log.incidents:
        decision = _decide(one, log, drivers[one.bus], policy, limits)
        if decision.action == NONE and not decision.person and one.follows:
            followers.append(one)
        else:
            found.append(_finding(one, decision, by_bus.get(one.bus)))
    return found + _folded(followers)


def _decide(one: Incident, log: Log, driver: tuple[Recovery, float] | None, policy: Policy, limits: Limits) -> Decision:
    if one.kind == SXID:
        decision = decide_sxid(one.code, one.fatal, policy)
    elif one.code == RECOVERY_CHANGED:
        decision = _changed(one, driver)
    else:
        decision = decide(one.code, one.fatal, policy)
    # The operator's own word stands, but for what a reboot or time has settled.
    if one.kind == XID and one.code not in policy.overrides and one.code != RECOVERY_CHANGED:
        decision = _after_driver(one, decision, driver, policy)
        decision = _repeated(one, decision, log, policy, limits)
    return _settled(one, decision, log, limits)


def _driver(bus: str, gpu: Gpu | None, log: Log) -> tuple[Recovery, float] | None:
    """The driver's word on a GPU, and until when it holds: what NVML says now, else the last XID 154 of this boot."""
    now = recovery(gpu.recovery) if gpu else None
    if now is not None:
        return now, log.now
    changes = [one for one in log.incidents if one.kind == XID and one.code == RECOVERY_CHANGED]
    here = [one for one in changes if one.bus == bus and one.boot == log.boot]
    said = [(told(one.text), one.last) for one in here]
    known = [(word, at) for word, at in said if word is not None]
    return max(known, key=lambda pair: pair[1], default=None)


def _changed(one: Incident, driver: tuple[Recovery, float] | None) -> Decision:
    """XID 154: what its text says, or the driver now."""
    word = driver[0] if driver else told(one.text)
    if word is None or word.action is None:
        return Decision(NONE, WARNING, True, "its words are not known")
    return Decision(word.action, INFO if word.action == NONE else CRITICAL, False, "the driver: {0}".format(word.word))


def _after_driver(one: Incident, decision: Decision, driver: tuple[Recovery, float] | None, policy: Policy) -> Decision:
    """The driver's word goes before the table, where both are about repairs. Cautious takes the worse of them."""
    if driver is None or driver[0].action is None or decision.action not in REPAIRS:
        return decision
    (word, until), why = driver, "the driver: {0}".format(driver[0].word)
    if word.action == NONE:
        # A word from the log is about what came before it.
        if policy.name == CAUTIOUS or one.last > until:
            return decision
        return Decision(NONE, WARNING, decision.person, why)
    asked = word.action or NONE
    action = worst_action([decision.action, asked]) if policy.name == CAUTIOUS else asked
    return replace(decision, action=action, why=why)


def _repeated(one: Incident, decision: Decision, log: Log, policy: Policy, limits: Limits) -> Decision:
    """What came again after every reboot is not cured by one more."""
    if one.boot != log.boot or decision.action not in REPAIRS or one.code in NEVER_HARDWARE:
        return decision
    same = [other for other in log.incidents if (other.kind, other.code, other.bus) == (one.kind, one.code, one.bus)]
    boots = {other.boot for other in same if other.boot != one.boot and one.first - other.last <= limits.repeats_s}
    if len(boots) < limits.repeats:
        return decision
    return Decision(ISOLATE, CRITICAL, True, "the same before each of the last {0} reboots".format(len(boots)))


def _settled(one: Incident, decision: Decision, log: Log, limits: Limits) -> Decision:
    """A reboot settles all but what calls for a person; a restart of the application is asked for once."""
    if one.boot != log.boot and decision.action != ISOLATE:
        return Decision(NONE, INFO, False, "before the host's last start")
    if decision.action == RESTART_APP and log.now - one.last > limits.app_hold_s:
        return Decision(NONE, INFO, False, "longer ago than {0:.0f} s".format(limits.app_hold_s))
    return decision


def _finding(one: Incident, decision: Decision, gpu: Gpu | None) -> Finding:
    name = XIDS[one.code].name if one.kind == XID and one.code in XIDS else ""
    where = "GPU {0}".format(gpu.index) if gpu else ("NVSwitch" if one.kind == SXID else "GPU") + " at " + one.bus
    words = ["{0}: {1} {2}".format(where, "XID" if one.kind == XID else "SXid", one.code)]
    words += [name.lower().replace("_", " ")] if name else []
    words += ["{0} times".format(one.count)] if one.count > 1 else []
    words += ["after {0}".format(one.follows)] if one.follows else []
    text = ", ".join(words) + " ({0})".format(decision.why)
    evidence: dict[str, Any] = {
        "code": one.code, "bus": one.bus, "count": one.count, "first": one.first, "last": one.last, "boot": one.boot,
        "line": one.text[:300], "process": one.process, "why": decision.why,
    }  # fmt: skip
    return Finding(
        kind="{0} {1}".format(one.kind, one.code),
        severity=decision.severity,
        text=text,
        source=LOG,
        action=decision.action,
        person=decision.person,
        index=gpu.index if gpu else None,
        uuid=(gpu.uuid or "") if gpu else "",
        serial=(gpu.serial or "") if gpu else "",
        evidence=evidence,
    )


def _folded(followers: list[Incident]) -> list[Finding]:
    groups: dict[tuple[str, int, str, str], list[Incident]] = {}
    for one in followers:
        groups.setdefault((one.kind, one.code, one.boot, one.follows), []).append(one)
    text = "XID {0} on {1} GPUs together, {2} times, after {3}: of no account"
    return [
        Finding(
            "{0} {1}".format(kind, code),
            INFO,
            text.format(code, len(group), sum(one.count for one in group), follows),
            LOG,
            evidence={"code": code, "buses": sorted(one.bus for one in group), "follows": follows},
        )
        for (kind, code, _boot, follows), group in sorted(groups.items())
    ]

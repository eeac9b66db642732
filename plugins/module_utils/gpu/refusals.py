# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nvidia-smi says when something is wrong with the host: exit status and words, as troubles.

Sources: exit statuses from its manual page; the words from its output and from libnvidia-ml's error strings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import Unreadable
from .findings import CRITICAL, ISOLATE, NONE, REBOOT, RESET_GPU, WARNING
from .records import BUS, Look, Trouble, bus_id
from .smi import read

NO_PROGRAM, NO_DEVICES, HANGS = "no nvidia-smi", "no devices", "nvidia-smi hangs"
DRIVER, MISMATCH, LIBRARY, NVML = "driver not loaded", "driver mismatch", "library missing", "NVML fails"
UNREACHABLE, LOST, RESET = "GPU unreachable", "GPU lost", "GPU needs reset"
POWER, INTERRUPT, INFOROM, DENIED, ODD = "power cable", "interrupts", "infoROM corrupt", "not permitted", "odd status"

# kind: (severity, action, a person must look, what to know)
MEANING = {
    NO_PROGRAM: (CRITICAL, NONE, True, "there is no nvidia-smi: is the driver installed?"),
    NO_DEVICES: (CRITICAL, REBOOT, False, "the driver finds no GPU"),
    HANGS: (CRITICAL, REBOOT, False, "nvidia-smi did not end in time: the driver hangs"),
    DRIVER: (CRITICAL, NONE, True, "the driver is not loaded"),
    MISMATCH: (
        CRITICAL,
        REBOOT,
        False,
        "the loaded driver is of another version than its libraries: updated, not rebooted",
    ),
    LIBRARY: (CRITICAL, NONE, True, "the driver's library is missing"),
    NVML: (CRITICAL, NONE, True, "the driver's library cannot be initialized"),
    UNREACHABLE: (CRITICAL, REBOOT, False, "a GPU does not answer"),
    LOST: (CRITICAL, REBOOT, False, "a GPU is lost"),
    RESET: (CRITICAL, RESET_GPU, False, "a GPU needs a reset"),
    POWER: (CRITICAL, ISOLATE, True, "a GPU's external power cable is not attached"),
    INTERRUPT: (CRITICAL, NONE, True, "the kernel has an interrupt problem with a GPU"),
    INFOROM: (WARNING, NONE, True, "a GPU's infoROM is corrupt"),
    DENIED: (WARNING, NONE, True, "nvidia-smi may not ask the driver"),
    ODD: (WARNING, NONE, True, "nvidia-smi ended with a status that is not known"),
}
# What is said of a GPU only, so that there is one; a driver that has none does not hang.
OF_A_GPU = frozenset({HANGS, LOST, RESET, UNREACHABLE, POWER, INTERRUPT, INFOROM})
WORDS = (
    (MISMATCH, re.compile(r"version mismatch", re.IGNORECASE)),
    (DRIVER, re.compile(r"communicate with the NVIDIA driver|Driver Not Loaded", re.IGNORECASE)),
    (NO_DEVICES, re.compile(r"No devices were found", re.IGNORECASE)),
    (LIBRARY, re.compile(r"find libnvidia-ml|NVML Shared Library|Shared Library Not Found", re.IGNORECASE)),
    (LOST, re.compile(r"GPU is lost|fallen off the bus", re.IGNORECASE)),
    (RESET, re.compile(r"requires? (?:a )?reset", re.IGNORECASE)),
    (UNREACHABLE, re.compile(r"Unable to determine the device handle", re.IGNORECASE)),
    (INFOROM, re.compile(r"infoROM is corrupt", re.IGNORECASE)),
    (DENIED, re.compile(r"Insufficient Permissions?", re.IGNORECASE)),
    (NVML, re.compile(r"Failed to initialize NVML", re.IGNORECASE)),
)
STATUS = {
    4: DENIED, 6: NO_DEVICES, 8: POWER, 9: DRIVER, 10: INTERRUPT, 12: LIBRARY, 14: INFOROM, 15: LOST,
}  # fmt: skip
START, END = re.compile(r"<\?xml|<!DOCTYPE|<nvidia_smi_log"), "</nvidia_smi_log>"


@dataclass(frozen=True)
class Answer:
    """What came of running nvidia-smi: a status of None means that it did not end, or was not there (`absent`)."""

    status: int | None
    out: str = ""
    err: str = ""
    absent: bool = False


def understand(answer: Answer) -> Look:
    """What was seen. Raises Unreadable for an answer that says neither what is there nor what is wrong."""
    if answer.absent:
        return Look(troubles=(Trouble(NO_PROGRAM, ""),))
    if answer.status is None:
        return Look(troubles=(Trouble(HANGS, ""),))
    before, document, after = _parts(answer.out)
    said = [line.strip() for line in "\n".join((before, after, answer.err)).splitlines() if line.strip()]
    troubles = [trouble for line in said for trouble in _recognized(line)]
    troubles += _by_status(answer.status, troubles, bool(document), " ".join(said)[:200])
    if document:
        look = read(document)
        return Look(look.gpus, look.driver, look.cuda, look.attached, look.schema, tuple(troubles), look.unknown)
    if not troubles:
        words = "nvidia-smi ended with status {0} and said neither what there is nor what is wrong: {1}"
        raise Unreadable(words.format(answer.status, " ".join(said)[:300] or "nothing"))
    return Look(troubles=tuple(troubles))


def _parts(out: str) -> tuple[str, str, str]:
    """What is said before the document, the document, and what is said after it."""
    start = START.search(out)
    if not start:
        return out, "", ""
    end = out.find(END, start.start())
    stop = len(out) if end < 0 else end + len(END)
    return out[: start.start()], out[start.start() : stop], out[stop:]


def _recognized(line: str) -> list[Trouble]:
    kinds = [kind for kind, words in WORDS if words.search(line)]
    bus = BUS.search(line)
    return [Trouble(kind, line[:200], bus_id(bus[0]) if bus else None) for kind in kinds[:1]]


def _by_status(status: int, troubles: list[Trouble], answered: bool, said: str) -> list[Trouble]:
    """What the exit status says that the words do not."""
    kind = STATUS.get(status, ODD)
    known = kind in {trouble.kind for trouble in troubles} or (kind == ODD and (troubles or not answered))
    return [] if status == 0 or known else [Trouble(kind, "status {0}: {1}".format(status, said))]

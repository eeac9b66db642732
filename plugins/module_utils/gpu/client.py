# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks nvidia-smi, the PCI bus and the kernel's log, each within bounds of time and size. Nothing is decided here.

NVIDIA's Python binding of NVML (nvidia-ml-py) would go here, as a second source of the same records. It is not used:
nvidia-smi is where the driver is, and needs nothing to be installed.
"""

from __future__ import annotations

import glob
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable

from ..errors import PlatformError, Unreadable
from .judge import Seen
from .kernel_log import Event, from_dmesg, from_journal
from .nvlink import active_links
from .records import Look, bus_id
from .refusals import Answer, understand

MAX_BYTES = 64 * 1024 * 1024
NVIDIA_VENDOR, DISPLAY_CLASS = "0x10de", "0x03"
LOG_S = 60.0

# (argv, seconds) -> what came of it
Runner = Callable[["list[str]", float], Answer]


def run(argv: list[str], seconds: float) -> Answer:
    """Run a command that may hang for ever, or answer without end. Raises Unreadable when it answers too much."""
    environment = {**os.environ, "LC_ALL": "C", "LANG": "C"}
    try:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
            start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError:
        return Answer(None, absent=True)
    except OSError as error:
        raise Unreadable("{0} cannot be run: {1}".format(argv[0], error)) from error
    try:
        ended, chunks = _drain(process, time.monotonic() + seconds)
    finally:
        _end(process)
    out, err = (b"".join(each).decode("utf-8", "replace") for each in chunks)
    if sum(len(chunk) for each in chunks for chunk in each) > MAX_BYTES:
        raise Unreadable("{0} answered more than {1} bytes".format(argv[0], MAX_BYTES))
    return Answer(process.returncode if ended else None, out, err)


def _drain(process: subprocess.Popen[bytes], end: float) -> tuple[bool, tuple[list[bytes], list[bytes]]]:
    """Read both streams until they end, the time is up, or there is too much; then wait for the end."""
    chunks: tuple[list[bytes], list[bytes]] = ([], [])
    size = 0
    with selectors.DefaultSelector() as selector:
        for stream, place in ((process.stdout, chunks[0]), (process.stderr, chunks[1])):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, place)
        while selector.get_map() and size <= MAX_BYTES:
            left = end - time.monotonic()
            if left <= 0:
                return False, chunks
            for key, _events in selector.select(left):
                chunk = os.read(key.fd, 65536)
                size += len(chunk)
                key.data.append(chunk)
                if not chunk:
                    selector.unregister(key.fileobj)
    try:
        process.wait(max(0.1, end - time.monotonic()) if size <= MAX_BYTES else 0.1)
    except subprocess.TimeoutExpired:
        return False, chunks
    return True, chunks


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left. What hangs in the kernel cannot be killed, and is not waited for."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(1.0)
        except (ProcessLookupError, PermissionError, subprocess.TimeoutExpired):
            pass
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


class Node:
    """This host.

    Args:
        smi: the program to ask.
        timeout: seconds that it may take; with persistence mode off it initializes every GPU first.
        runner: executes a command.
        root: where /proc and /sys are.
    """

    def __init__(self, smi: str = "nvidia-smi", timeout: float = 60.0, runner: Runner = run, root: str = "/") -> None:
        self._smi = smi
        self._timeout = timeout
        self._run = runner
        self._root = root

    def look(self, since: float, nvlinks: bool = False) -> Seen:
        """All that a judgement is made of; what could not be read is None, with the reason. `since`: of the log."""
        now, boot = time.time(), self._boot()
        look, unread = self._look()
        events, log_unread = self._events(since, boot)
        asked = nvlinks and look is not None and bool(look.gpus)
        links = self._nvlinks() if asked else None
        return Seen(look, events, now, boot, self._on_bus(), links, unread, log_unread)

    def _look(self) -> tuple[Look | None, str]:
        try:
            return understand(self._run([self._smi, "-q", "-x"], self._timeout)), ""
        except PlatformError as error:
            return None, error.message

    def _nvlinks(self) -> dict[str, int] | None:
        try:
            return active_links(self._run([self._smi, "nvlink", "--status"], self._timeout).out)
        except PlatformError:
            return None

    def _events(self, since: float, boot: str) -> tuple[list[Event] | None, str]:
        try:
            if self._journal_has_kernel():
                answer = self._journal("--since", "@{0:.0f}".format(since))
                if answer.status != 0:
                    return None, "journalctl did not tell all of the kernel's log: {0}".format(_said(answer))
                return from_journal(answer.out), ""
            answer = self._run(["dmesg"], LOG_S)
            if answer.status != 0:
                return None, "neither the journal nor dmesg tells the kernel's log: {0}".format(_said(answer))
            events = from_dmesg(answer.out, self._booted_at(), boot)
            return [event for event in events if event.at >= since], ""
        except PlatformError as error:
            return None, error.message

    def _journal(self, *more: str) -> Answer:
        # Not -k, which shows the present boot alone.
        fields = "--output-fields=MESSAGE"
        return self._run(["journalctl", "--no-pager", "-q", "-o", "json", fields, "_TRANSPORT=kernel", *more], LOG_S)

    def _journal_has_kernel(self) -> bool:
        """Whether the journal keeps the kernel's messages of this boot: without any, it is silent, not well."""
        answer = self._journal("-b", "-n", "1")
        return answer.status == 0 and bool(answer.out.strip())

    def _boot(self) -> str:
        return self._read("proc/sys/kernel/random/boot_id").replace("-", "")

    def _booted_at(self) -> float:
        words = self._read("proc/stat").split()
        if "btime" not in words[:-1]:
            raise Unreadable("/proc/stat does not tell when the host was started")
        return float(words[words.index("btime") + 1])

    def _on_bus(self) -> dict[str, str] | None:
        """NVIDIA's GPUs, by address: the name of the driver that has them."""
        folder = os.path.join(self._root, "sys/bus/pci/devices")
        if not os.path.isdir(folder):
            return None
        found = {}
        for device in sorted(glob.glob(os.path.join(glob.escape(folder), "*"))):
            inside = os.path.relpath(device, self._root)
            address = bus_id(os.path.basename(device))
            display = self._read(inside + "/class").startswith(DISPLAY_CLASS)
            if address and display and self._read(inside + "/vendor") == NVIDIA_VENDOR:
                driver = os.path.join(device, "driver")
                found[address] = os.path.basename(os.path.realpath(driver)) if os.path.islink(driver) else ""
        return found

    def _read(self, path: str) -> str:
        try:
            with open(os.path.join(self._root, path), encoding="utf-8", errors="replace") as stream:
                return stream.read(1024 * 1024).strip()
        except OSError:
            return ""


def _said(answer: Answer) -> str:
    return " ".join(answer.err.split())[:200] or ("no end in time" if answer.status is None else "nothing")

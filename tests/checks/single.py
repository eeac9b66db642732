# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time on a machine, because the test lab has one name; and what a killed run left running is ended."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from .steps import CACHE, MARK

PR_SET_PDEATHSIG = 1
TELL_EVERY_S = 60


class Turn:
    """The right to run steps, held through a file that also names the process groups of the steps that run."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._groups: set[int] = set()
        self._lock = threading.Lock()

    def runs(self, group: int) -> None:
        """Remember that this process group runs now, for whoever comes after us if we are killed."""
        with self._lock:
            self._groups.add(group)
            self._write()

    def ended(self, group: int) -> None:
        """It runs no more."""
        with self._lock:
            self._groups.discard(group)
            self._write()

    def end(self) -> None:
        """End all that runs."""
        for group in sorted(self._groups):
            end_group(group)

    def _write(self) -> None:
        text = " ".join(map(str, sorted(self._groups)))
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)


@contextlib.contextmanager
def turn() -> Iterator[Turn]:
    """Wait for other runs on this machine, end what a killed one left, and keep the turn until the block ends."""
    CACHE.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(CACHE / "checks.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait_for_turn(descriptor)
        for left in os.pread(descriptor, 256, 0).decode().split():
            if left.isdigit() and _is_ours(int(left)):
                print(f"Ending what a killed run left: process group {left}", flush=True)
                end_group(int(left))
        yield Turn(descriptor)
    finally:
        os.close(descriptor)


def _wait_for_turn(descriptor: int) -> None:
    told = 0.0
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() - told > TELL_EVERY_S:
                told = time.monotonic()
                print("Another run of the checks is under way on this machine; waiting for it", flush=True)
            time.sleep(1)


def _is_ours(group: int) -> bool:
    """Whether a process of this group carries the steps' mark: a number alone may belong to a stranger by now."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getpgid(int(entry.name)) == group and f"{MARK}=".encode() in (entry / "environ").read_bytes():
                return True
    return False


def end_group(group: int, patience_s: float = 10.0) -> None:
    """SIGTERM to a process group, SIGKILL to what is left of it after `patience_s` seconds."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
        give_up = time.monotonic() + patience_s
        while time.monotonic() < give_up:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-group, os.WNOHANG)
            os.killpg(group, 0)
            time.sleep(0.1)
        os.killpg(group, signal.SIGKILL)


def end_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent dies, so killing make ends the run. SIGTERM unwinds like Ctrl-C."""
    parent = os.getppid()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise KeyboardInterrupt

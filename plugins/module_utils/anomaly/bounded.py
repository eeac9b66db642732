# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A socket's bytes until a deadline: who sends one a second keeps nobody for longer than that."""

from __future__ import annotations

import io
import socket
import time
from typing import Any


class Bytes(io.RawIOBase):
    """What a socket receives, for as many seconds. Past them reading raises socket.timeout."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        super().__init__()
        self._connection, self._deadline = connection, deadline

    def readable(self) -> bool:
        """It is for nothing else."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As raw streams have it."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("timed out")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class Connection:
    """A connected socket, as http.client wants it, whose every answer ends at the deadline of time.monotonic()."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection, self._deadline = connection, deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        """For reading."""
        return io.BufferedReader(Bytes(self._connection, self._deadline))

    def sendall(self, content: bytes) -> None:
        """Send everything, until the deadline. Raises OSError."""
        self._connection.settimeout(max(0.001, self._deadline - time.monotonic()))
        self._connection.sendall(content)

    def close(self) -> None:
        """Not yet: http.client lets go of a connection before its answer is read."""

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A block of lines at the bottom of a terminal that is redrawn in place, and makes way for whatever else is printed."""

from __future__ import annotations


def can_redraw(stream, environ):
    """Whether lines can be redrawn. AWX and most continuous integration give a pseudo-terminal to what they record."""
    recorded = environ.get("CI") or environ.get("AWX_ISOLATED_DATA_DIR")
    return bool(stream.isatty() and environ.get("TERM", "dumb") != "dumb" and not recorded)


def ascii_only(stream):
    """Whether the output knows no more than ASCII."""
    return "utf" not in (getattr(stream, "encoding", None) or "").lower()


class Screen:
    """Stands in for a stream: a replaced sys.stdout sees every writer, Ansible's warnings and its workers' included.

    Args:
        stream: what is stood in for.
        lock: held for every write.
        screen: the screen whose block makes way, when this is another stream to the same terminal.
    """

    def __init__(self, stream, lock, screen=None):
        self._stream, self._lock = stream, lock
        self._screen = screen or self
        self._shown, self._midline = [], False

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, said):
        """Print what is no part of the block."""
        with self._lock:
            self._screen.make_way(said)
            return self._stream.write(said)

    def make_way(self, said):
        """Clear the block for this text."""
        self.draw([])
        if said:
            self._midline = not said.endswith("\n")

    def draw(self, lines):
        """Show these lines in place of those before; none to clear. Nothing is put behind a line that is not done."""
        with self._lock:
            if lines == self._shown or (lines and self._midline):
                return
            up = "\x1b[{0}A\r".format(len(self._shown)) if self._shown else ""
            self._shown = lines
            self._stream.write(up + "".join(line + "\x1b[K\n" for line in lines) + "\x1b[J")
            self._stream.flush()

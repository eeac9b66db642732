# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says a number and looks at the queues, again and again: log_tick.py SECONDS FOLDER LOOK...

One process that stays: starting Python for each number costs more than the number. FOLDER is the canary's, LOOK what
log_watch.py is given; both lie beside this. What fails ends the process, and systemd starts it again.
"""

from __future__ import annotations

import sys
import time

import log_canary
import log_watch


def main(argv: list[str]) -> None:
    """Entry point. Raises OSError when something cannot be kept."""
    seconds, folder, *look = argv
    while True:
        log_canary.main([folder])
        log_watch.main(["look", *look])
        time.sleep(float(seconds))


if __name__ == "__main__":
    main(sys.argv[1:])

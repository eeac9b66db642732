# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of a store: writes files and reads them back, over and over, and prints what it met.

It runs inside a host of the lab, alone: `python3 -c TEXT FOLDER SECONDS`. SIGTERM ends it earlier. Standard library.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time

SIZE = 256 * 1024
PAUSE_S = 0.05
KEEP = 50


def main() -> None:
    """Work for so many seconds, and print one line of JSON: operations, errors, the longest stall, digests by file."""
    folder, seconds = sys.argv[1], float(sys.argv[2])
    os.makedirs(folder, exist_ok=True)
    began = time.monotonic()
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    seen: dict[str, str] = {}
    errors: list[list[object]] = []
    wrong: list[str] = []
    longest, operations = 0.0, 0
    while time.monotonic() - began < seconds and not told:
        name = f"file-{operations % KEEP}"
        body = os.urandom(SIZE)
        start = time.monotonic()
        try:
            with open(os.path.join(folder, name + ".new"), "wb") as stream:
                stream.write(body)
                os.fsync(stream.fileno())
            os.replace(os.path.join(folder, name + ".new"), os.path.join(folder, name))
            seen[name] = hashlib.sha256(body).hexdigest()
            with open(os.path.join(folder, name), "rb") as stream:
                if hashlib.sha256(stream.read()).hexdigest() != seen[name]:
                    wrong.append(name)
        except OSError as error:
            # Whether the last write of this file counts is not known.
            seen.pop(name, None)
            errors.append([round(start - began, 2), type(error).__name__, error.errno, str(error)])
            time.sleep(0.2)
        longest = max(longest, time.monotonic() - start)
        operations += 1
        time.sleep(PAUSE_S)
    print(json.dumps({"operations": operations, "errors": errors[:20], "failed": len(errors), "wrong": wrong,
                      "longest_stall_s": round(longest, 2), "digests": seen}))  # fmt: skip


if __name__ == "__main__":
    main()

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says one number to the journal: log_canary.py FOLDER.

The log servers tell from it whether lines were lost. A number is never said twice: it is on the disk before it is said.
`before` is the number that was said last, so that one that a crash kept from being said is not looked for. A disk that
was replaced begins a new life, with numbers of its own. Standard library only.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import sys
import tempfile
from typing import Any

LIFE = re.compile(r"[0-9a-f]{16}")


def whole(value: Any) -> bool:
    """Whether this is a number that a canary can have."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**15


def remembered(path: str) -> dict[str, Any]:
    """What was said before: life, number, and the number said last. A new life where that cannot be read."""
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
        if LIFE.fullmatch(found["life"]) and whole(found["number"]) and whole(found["said"]):
            return {"life": found["life"], "number": found["number"], "said": found["said"]}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"life": os.urandom(8).hex(), "number": 0, "said": 0}


def replace(path: str, text: str) -> None:
    """Write a file whole and for good, or leave it. Raises OSError."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".canary.")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def main(argv: list[str]) -> int:
    """Entry point. Raises OSError when the number cannot be kept; then it is not said."""
    path = os.path.join(argv[0], "canary.json")
    # Whoever runs this by hand shall not take the timer's number.
    with open(os.path.join(argv[0], "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = remembered(path)
        number = known["number"] + 1
        replace(path, json.dumps({**known, "number": number}) + "\n")
        print("<5>life={0} number={1} before={2}".format(known["life"], number, known["said"]), flush=True)
        replace(path, json.dumps({**known, "number": number, "said": number}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `nvidia-smi nvlink --status` answers: active links by GPU."""

from __future__ import annotations

import re

GPU = re.compile(r"GPU \d{1,3}: .{0,200}\(UUID: (GPU-[0-9a-fA-F-]{8,64})\)")
LINK = re.compile(r"Link \d{1,3}: (?P<said>.{1,60})")
ACTIVE = re.compile(r"\d+(?:\.\d+)? GB/s")


def active_links(text: str) -> dict[str, int]:
    """Links with a speed, by uuid. A GPU of which nothing is said about links is not in it: unknown, not none."""
    found: dict[str, int] = {}
    uuid = ""
    for line in text.split("\n"):
        gpu, link = GPU.fullmatch(line.strip()), LINK.fullmatch(line.strip())
        if gpu:
            uuid = gpu[1]
        elif link and uuid:
            found[uuid] = found.get(uuid, 0) + bool(ACTIVE.fullmatch(link["said"].strip()))
    return found

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of GlusterFS 11.1, recorded from a cluster of three: whole, with one server gone, with two gone."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.steadfast.ai_platform.plugins.module_utils.storage.gluster import parse_answer

FOLDER = Path(__file__).parent / "fixtures"
BRICKS = tuple(f"172.30.42.4{number}:/srv/brick/store" for number in (1, 2, 3))


def text(name):
    """One answer, as it was printed."""
    return (FOLDER / f"{name}.xml").read_text(encoding="utf-8")


def answer(name):
    """One answer, as its tree."""
    return parse_answer(text(name), name)

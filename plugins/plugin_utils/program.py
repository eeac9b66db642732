# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program on a host consists of: itself, what lies beside it, and the files of module_utils that they import."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from ..module_utils.errors import Refused

ROOM = Path(__file__).resolve().parent.parent / "module_utils"
# Under this name the files of module_utils lie beside the programs.
PACKAGE = "steadfast_platform"


def parts(program):
    """Text of each file that a program needs, by its path below the program's folder. Raises Refused.

    program: its path. Follows imports of `steadfast_platform` and of files in the program's own folder, wherever in a
    file they stand.
    """
    program = Path(program)
    found, waiting = {}, [program]
    while waiting:
        path = waiting.pop()
        inside = path.is_relative_to(ROOM)
        name = str(Path(PACKAGE) / path.relative_to(ROOM)) if inside else path.name
        if name in found:
            continue
        text, wanted = _read(path)
        found[name] = text
        for level, dotted in wanted:
            waiting += _files(_start(path, level, program.parent), dotted)
    return {name: found[name] for name in sorted(found)}


@cache
def _read(path):
    """A file's text, and what it imports: (how many folders up, or 0; parts of the name)."""
    try:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except (OSError, ValueError, SyntaxError) as error:
        raise Refused("{0} is no program that can be installed: {1}".format(path, error)) from error
    wanted = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            wanted += [(0, tuple(each.name.split("."))) for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = tuple(filter(None, (node.module or "").split(".")))
            wanted += [(node.level, (*base, each.name)) for each in node.names]
    return text, wanted


def _start(path, level, folder):
    return folder if level == 0 else path.parents[level - 1]


def _files(start, dotted):
    """The file that an import means: the last parts of its name may be what is in the file. None for another's."""
    if dotted[0] == PACKAGE:
        start, dotted = ROOM, dotted[1:]
    for length in range(len(dotted), 0, -1):
        path = start.joinpath(*dotted[:length]).with_suffix(".py")
        if path.is_file():
            return [path]
    return []

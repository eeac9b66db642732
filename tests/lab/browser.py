# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real browser on the lab's network: opens a page, and tells its text, its errors and how it looks.

For a picture of the status site in a lab that runs: python -m tests.lab.browser URL FILE.png [WIDTH [SCHEME]]
"""

from __future__ import annotations

import base64
import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import images
from .containers import Lab
from .settings import LABEL, LabError

CLIENT = (Path(__file__).parent / "browser_client.py").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Seen:
    """One page as it was.

    Args:
        ready: whether it was what was waited for, in time.
        text: what can be read on it.
        scroll_width: in pixels; more than the window's width means that it scrolls sideways.
        errors: of its scripts, its console, its policy (CSP) and its network.
        requests: every address that was asked for.
        values: of the expressions that were given.
        png: how it looked.
    """

    ready: bool
    text: str
    scroll_width: int
    errors: list[str]
    requests: list[str]
    values: dict[str, Any] = field(default_factory=dict)
    png: bytes = b""


class Browser:
    """A browser's container; each look is a new browser, with nothing from the one before."""

    def __init__(self, container: Any) -> None:
        self.container = container

    def look(self, url: str, width: int = 1280, scheme: str = "light", ready: str = "true", **more: Any) -> Seen:
        """Open a page. Raises LabError when there is none.

        Args:
            url: of the page.
            width: of the window, in pixels; under 600 it is a phone.
            scheme: light or dark, as the reader's system has it.
            ready: JavaScript that is true when there is something to see.
            more: height, limit_s, headers, whole (the picture is of all of the page, or of the window alone), and
                evaluate: names of values and the JavaScript that has them.
        """
        asked = {"height": 900, "limit_s": 30, "headers": {}, "whole": True, "evaluate": {}, **more}
        asked.update(url=url, width=width, scheme=scheme, ready=ready)
        code, (out, err) = self.container.exec_run(["python3", "-c", CLIENT, json.dumps(asked)], demux=True)
        if code:
            raise LabError(f"the browser could not open {url}: {(err or b'').decode('utf-8', 'replace')[-600:]}")
        told = json.loads(out)
        return Seen(**{**told, "png": base64.b64decode(told["png"])})


@contextlib.contextmanager
def browser(lab: Lab) -> Iterator[Browser]:
    """A browser on the lab's network, for as long as it is needed."""
    name = f"{lab.name}-browser"
    for left in lab.client.containers.list(all=True, filters={"name": f"^{name}$"}):
        left.remove(force=True)
    container = lab.client.containers.run(
        images.ensure(lab.client, images.browser_recipe()),
        ["sleep", "infinity"],
        name=name,
        labels={LABEL: lab.name},
        network=lab.name,
        init=True,
        detach=True,
    )
    try:
        yield Browser(container)
    finally:
        container.remove(force=True)


def main(argv: list[str]) -> int:
    """Entry point: a picture of a window."""
    url, file, width, scheme = [*argv, *("1280", "dark")[len(argv) - 2 :]]
    ready = "document.body.dataset.state === 'drawn'"
    with browser(Lab.from_env()) as window:
        seen = window.look(url, width=int(width), scheme=scheme, ready=ready, whole=False)
    Path(file).write_bytes(seen.png)
    print("\n".join(seen.errors))
    return int(bool(seen.errors) or not seen.ready)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

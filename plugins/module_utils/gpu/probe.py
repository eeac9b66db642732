# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe of a GPU node: looks once, judges, and tells Prometheus and the load agent. Meant for a timer."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from typing import Any

from .. import atomic
from ..errors import PlatformError
from .client import Node
from .expect import LIMITS, Expect
from .findings import ACTIONS
from .judge import Judgement, judge, listed
from .metrics import textfile
from .policy import NVIDIA, POLICIES, policy

MAX_STATE = 1024 * 1024
# Whose verdict it is, in the file that the load agent reads.
BY = "gpu-probe"
MODES = {None: None, "on": True, "off": False}
EXIT = {"healthy": 0, "degraded": 1, "failed": 2}


def arguments() -> argparse.ArgumentParser:
    """The probe's options."""
    parser = argparse.ArgumentParser(prog="gpu_probe", description=__doc__)
    parser.add_argument("--textfile", required=True, help="file for the node exporter's textfile collector")
    parser.add_argument("--state", required=True, help="file that remembers counters from one look to the next")
    parser.add_argument("--verdict", help="file that is there while the GPUs fail, for the model server's load agent")
    parser.add_argument("--nvidia-smi", default="nvidia-smi")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds that nvidia-smi may take")
    parser.add_argument("--since", type=float, default=LIMITS.repeats_s, help="seconds of the kernel's log to read")
    parser.add_argument("--policy", choices=POLICIES, default=NVIDIA)
    parser.add_argument("--override", action="append", default=[], metavar="XID=ACTION", help=", ".join(ACTIONS))
    parser.add_argument("--expected-count", type=int)
    parser.add_argument("--expected-model")
    parser.add_argument("--expected-driver")
    parser.add_argument("--expected-pcie-width", type=int)
    parser.add_argument("--expected-pcie-generation", type=int)
    parser.add_argument("--expected-nvlinks", type=int)
    for mode in ("ecc", "mig", "persistence"):
        parser.add_argument("--expected-" + mode, choices=("on", "off"))
    return parser


def main(argv: list[str]) -> int:
    """Look once. Exit status: 0 healthy, 1 degraded, 2 failed, 3 the probe could not do its work."""
    options = arguments().parse_args(argv)
    expect = Expect(
        count=options.expected_count,
        model=options.expected_model,
        driver=options.expected_driver,
        pcie_width=options.expected_pcie_width,
        pcie_generation=options.expected_pcie_generation,
        nvlinks=options.expected_nvlinks,
        ecc=MODES[options.expected_ecc],
        mig=MODES[options.expected_mig],
        persistence=MODES[options.expected_persistence],
    )
    try:
        chosen = policy(options.policy, dict(_override(word) for word in options.override))
        node = Node(options.nvidia_smi, options.timeout)
        seen = node.look(time.time() - options.since, expect.nvlinks is not None)
        judged = judge(seen, expect, chosen, _recall(options.state))
        gpus = listed(seen.look)
        success = seen.events is not None and (gpus is not None or (not judged.present and not judged.findings))
        atomic.replace(options.state, json.dumps(judged.state), 0o640)
        if options.verdict:
            _tell(options.verdict, judged)
        atomic.replace(options.textfile, textfile(judged, gpus, expect.count, seen.now, success), 0o644)
    except (PlatformError, OSError) as error:
        sys.stderr.write("{0}\n".format(getattr(error, "message", None) or error))
        return 3
    sys.stdout.write(judged.text + "\n")
    return EXIT[judged.verdict]


def _tell(path: str, judged: Judgement) -> None:
    """Whom this node should serve: nobody while its GPUs fail, and then why; else nothing is said. Raises OSError.

    A verdict that somebody else has left there stays, unless this one is worse.
    """
    if judged.verdict == "failed":
        atomic.replace(path, json.dumps({"verdict": "down", "reason": judged.why, "by": BY}), 0o644)
        return
    found = _recall(path)
    if isinstance(found, dict) and found.get("by") == BY:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _override(word: str) -> tuple[int, str]:
    code, _equals, action = word.partition("=")
    if not code.isdecimal():
        raise PlatformError("--override wants XID=ACTION, not {0!r}".format(word))
    return int(code), action


def _recall(path: str) -> Any:
    """What the last look left. A first look has nothing; what is broken is nothing, too."""
    try:
        with open(path, encoding="utf-8") as stream:
            return json.loads(stream.read(MAX_STATE))
    except (OSError, ValueError, RecursionError):
        return None

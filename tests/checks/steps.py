# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is checked, as data: which command proves which area of the project."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.settings import ROOT, cache

CACHE = cache()
COLLECTION = "ansible_collections.steadfast.ai_platform"
# Every step carries this mark in its environment, so that a later run knows what it may end.
MARK = "STEADFAST_CHECKS_STEP"
ON_LAB = {
    "STEADFAST_LAB": "steadfast-test",
    "STEADFAST_LAB_SUBNET": "172.30.41",
    "MOLECULE_EPHEMERAL_DIRECTORY": str(ROOT / "build" / "molecule"),
}

# Scenarios of the whole platform, which takes minutes to stand. The first makes it, the next find it, and others
# add to it.
FIRST, *NEXT = WHOLE = ("rolling_deploy", "failover", "chaos_rollout")
ADDED = ("gpu_node", "monitoring")


@dataclass(frozen=True)
class Step:
    """One command. `limit` is in seconds: past it something hangs, and the step is ended and has failed."""

    area: str
    name: str
    argv: tuple[str, ...]
    limit: int = 600
    env: dict[str, str] = field(default_factory=dict)
    # Too long for every run: only when its area is asked for.
    apart: bool = False

    @property
    def lab(self) -> bool:
        """Whether it needs the lab, of which there is one. Other steps can run side by side."""
        return bool(self.env)


def _python(module: str, *argv: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *argv)


# Cheap and telling first: whoever broke a rule hears of it in seconds.
STEPS = (
    Step("lint", "yamllint", _python("yamllint", "--strict", ".")),
    Step("lint", "ruff check", ("ruff", "check", "--no-cache", "--output-format", "concise", ".")),
    Step("lint", "ruff format", ("ruff", "format", "--no-cache", "--diff", ".")),
    Step(
        "lint",
        "mypy",
        _python("mypy", "-p", f"{COLLECTION}.plugins.module_utils", "-p", "tests.lab", "-p", "tests.checks"),
    ),
    Step("lint", "ansible-lint", ("ansible-lint", "--offline", "--format", "pep8")),
    Step("lint", "changelog", ("antsibull-changelog", "lint")),
    Step("unit", "pytest", _python("pytest", "-q", "--durations=15", "tests/unit"), limit=1500),
    Step(
        "docs",
        "antsibull-docs",
        (
            "antsibull-docs",
            "lint-collection-docs",
            "--plugin-docs",
            # "all" would read the documentation of every collection of the ansible package: minutes.
            "--validate-collection-refs=self",
            "--check-extra-docs-refs",
            "--disallow-unknown-collection-refs",
            "--skip-rstcheck",
            ".",
        ),
    ),
    Step("build", "package", _python("tests.checks.package")),
    Step("sanity", "ansible-test", _python("tests.checks.sanity"), limit=900),
    Step("molecule", "leftovers", _python("tests.checks.leftovers"), env=ON_LAB),
    # One after another on a fresh lab each: none leans on what another left, and one that fails does not hide the next.
    *(
        Step("molecule", path.parent.name, ("molecule", "test", "--scenario-name", path.parent.name), 1800, ON_LAB)
        for path in sorted((ROOT / "molecule").glob("*/molecule.yml"))
        if path.parent.name not in {"default", *WHOLE, *ADDED}
    ),
    Step("molecule", FIRST, ("molecule", "test", "--destroy", "never", "--scenario-name", FIRST), 1800, ON_LAB),
    *(Step("molecule", name, ("molecule", "verify", "--scenario-name", name), 1800, ON_LAB) for name in NEXT),
    *(
        Step("molecule", name, ("molecule", "test", "--destroy", "never", "--scenario-name", name), 2400, ON_LAB)
        for name in ADDED
    ),
    Step("molecule", "lab down", _python("tests.lab", "down"), env=ON_LAB),
    Step("chaos", "leftovers", _python("tests.checks.leftovers"), env=ON_LAB, apart=True),
    *(
        Step(
            "chaos",
            story,
            ("molecule", "test", "--scenario-name", story),
            4 * 3600,
            {**ON_LAB, "STEADFAST_CHAOS": "whole"},
            apart=True,
        )
        for story in ("chaos_rollout", "failover", "model_store", "monitoring")
    ),
)
AREAS = tuple(dict.fromkeys(step.area for step in STEPS))


def environment(step: Step) -> dict[str, str]:
    """The caller's environment with the project's tools first, no colours, and the collection under its own name."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        "ANSIBLE_NOCOLOR": "1",
        "NO_COLOR": "1",
        "PY_COLORS": "0",
        "PYTHONUNBUFFERED": "1",
        MARK: step.name,
        **step.env,
    }

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases that load and then misbehave, as variables for the playbooks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.lab.containers import Lab
from tests.lab.settings import cache

SCRIPT = "/usr/local/lib/steadfast_faulty_engine.py"
ENGINE = "/srv/models/engines/llama_cpp/11434.0.0/llama-server"
FAULTS = {
    "bad-errors": "errors=0.03",
    "bad-slow": "slow=3",
    "bad-garbage": "garbage",
    "bad-hang": "hang=100",
    "bad-die": "die=20",
    # Nothing wrong with it: shows that the front itself does not make a release fail.
    "good-front": "slow=1",
    "bad-name": "name",
}
ARGS = ["--metrics", "--offline", "--threads", "1", "--parallel", "16", "--ctx-size", "524288", "--no-webui"]


def install(lab: Lab, nodes: tuple[str, ...]) -> None:
    """Put the front where the releases expect it."""
    text = (Path(__file__).parent / "faulty_engine.py").read_text(encoding="utf-8")
    for node in nodes:
        lab.exec(node, ["python3", "-c", f"open({SCRIPT!r}, 'w').write({text!r})"])


def write_variables(path: Path) -> Path:
    """A file for -e @FILE that declares the lab's releases and these."""
    digests = json.loads((cache() / "models" / "index.json").read_text(encoding="utf-8"))
    plain = {
        "profile": "llama_cpp",
        "version": "11434.0.0",
        "src": str(cache() / "llama-server/11434.0.0/llama-server"),
    }
    releases: dict[str, Any] = {}
    for name in ("r1", "r2", "r3-broken"):
        releases[name] = {
            "model": "tiny",
            "engine": plain,
            "artifact": _artifact(f"tiny-{name}.gguf", digests),
            "args": [argument for argument in ARGS if argument not in ("--metrics", "--offline")],
        }
    for name, fault in FAULTS.items():
        releases[name] = {
            "model": "tiny",
            "engine": {"profile": "custom", "version": "1", "path": "/usr/bin/python3"},
            "artifact": _artifact("tiny-r2.gguf", digests),
            "command": _command(name, fault, digests["tiny-r2.gguf"]),
        }
    metrics = {
        "running_metrics": ["llamacpp:requests_processing", "llamacpp:requests_deferred"],
        "progress_metrics": ["llamacpp:n_decode_total"],
    }
    content = {"model_server_releases": releases, "model_server_engines": {"custom": metrics}}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _artifact(name: str, digests: dict[str, str]) -> dict[str, str]:
    return {"name": name, "src": str(cache() / "models" / name), "sha256": digests[name]}


def _command(name: str, fault: str, digest: str) -> list[str]:
    model = f"/srv/models/serving/releases/{name}/tiny-r2.gguf"
    alias = "tiny,someone-else" if fault == "name" else f"tiny,tiny@{name}-{digest[:12]}"
    front = ["/usr/bin/python3", SCRIPT, "slow=1" if fault == "name" else fault, "$MODEL_SERVER_PORT"]
    return [*front, ENGINE, "--model", model, "--alias", alias, *ARGS]

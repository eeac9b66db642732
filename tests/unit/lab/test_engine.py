# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A build of the engine that was killed does not go on beside the next one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab import engine


class Docker:
    """A client whose builder ends at once; it notes in which order things happen."""

    def __init__(self) -> None:
        self.containers = self
        self.left: list[str] = []
        self.done: list[str] = []

    def list(self, all: bool, filters: dict[str, str]) -> list[Docker]:
        assert all
        return [self for name in self.left if filters["name"] == f"^/{name}$"]

    def run(self, _image: str, _command: list[str], name: str, **_options: Any) -> Docker:
        self.left.append(name)
        self.done.append("run")
        return self

    def logs(self, **_options: Any) -> list[bytes]:
        return []

    def wait(self) -> dict[str, int]:
        return {"StatusCode": 0}

    def remove(self, force: bool) -> None:
        assert force
        self.left.clear()
        self.done.append("remove")


def killed() -> None:
    raise KeyboardInterrupt


def test_what_a_killed_build_left_is_ended_first(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.images, "ensure", lambda _client, _recipe: "image")
    docker = Docker()
    monkeypatch.setattr(docker, "wait", killed)
    monkeypatch.setattr(docker, "remove", lambda force: None)
    with pytest.raises(KeyboardInterrupt):
        engine._compile(docker, tmp_path, tmp_path / "build")
    monkeypatch.undo()
    monkeypatch.setattr(engine.images, "ensure", lambda _client, _recipe: "image")
    engine._compile(docker, tmp_path, tmp_path / "build")
    assert docker.done == ["run", "remove", "run", "remove"]

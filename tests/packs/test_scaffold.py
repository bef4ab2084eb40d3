"""A new pack works at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from graphflow.errors import PackError
from graphflow.packs import build_registry
from graphflow.packs.check import check_pack
from graphflow.packs.scaffold import scaffold_pack
from graphflow.settings import Settings


def test_new_pack_loads_without_a_change(home: Path) -> None:
    written = scaffold_pack(home / "packs", "glow")
    assert all(path.is_file() for path in written)
    registry = build_registry(Settings(home=home, packs=""))
    schema = registry.schema("glow.spot")
    assert schema is not None
    assert (schema.category, schema.help) == ("image", "Draw a soft spot of light on a dark ground.")
    assert registry.pack_error("glow") is None


def test_new_pack_passes_its_own_check_and_its_own_test(tmp_path: Path) -> None:
    scaffold_pack(tmp_path, "glow")
    assert check_pack(tmp_path / "glow") == []
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "glow")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["Glow", "my-glow", "1glow", "", "a.b", "../up", "class", "core"])
def test_names_that_cannot_be_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PackError, match="name"):
        scaffold_pack(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "glow").mkdir()
    with pytest.raises(PackError, match="exists already"):
        scaffold_pack(tmp_path, "glow")
    assert list((tmp_path / "glow").iterdir()) == []

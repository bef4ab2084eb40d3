"""`--out`."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphflow.cli.delivery import OutFolder, readable_name
from graphflow.errors import InputFileError


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    path = tmp_path / "fox_0123456789ab.txt"
    path.write_text("a fox")
    return path


def test_names_lose_their_digest() -> None:
    assert str(readable_name("fox_0123456789ab.png", "save")) == "fox.png"
    assert str(readable_name("runs/fox_0123456789ab.tar.gz", "save")) == "runs/fox.tar.gz"


def test_a_name_that_is_only_a_digest_becomes_the_nodes() -> None:
    assert str(readable_name("0123456789ab.png", "outer/save")) == "outer_save.png"


def test_other_files_are_never_overwritten(tmp_path: Path, artifact: Path) -> None:
    out = OutFolder(tmp_path / "new" / "out")
    (tmp_path / "new" / "out" / "fox.txt").write_text("another fox")
    placed = out.deliver(artifact, artifact.name, "save")
    assert placed.name == "fox_2.txt"
    assert placed.read_text() == "a fox"
    assert (placed.parent / "fox.txt").read_text() == "another fox"


def test_the_same_file_is_delivered_once(tmp_path: Path, artifact: Path) -> None:
    out = OutFolder(tmp_path / "out")
    first = out.deliver(artifact, artifact.name, "save")
    assert out.deliver(artifact, artifact.name, "save") == first
    assert [path.name for path in first.parent.iterdir()] == ["fox.txt"]


def test_changing_a_delivered_file_leaves_the_artifact_alone(tmp_path: Path, artifact: Path) -> None:
    placed = OutFolder(tmp_path / "out").deliver(artifact, artifact.name, "save")
    with placed.open("r+") as file:
        file.write("XXX")
    assert artifact.read_text() == "a fox"


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(InputFileError, match=r"--out .*cannot be made"):
        OutFolder(tmp_path / "out")

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from graphflow.packs.builtin.image.list_images import ListImages, names_of, natural_key
from graphflow.packs.builtin.image.load_image import LoadImage
from PIL import Image as Pil

from graphflow import InputFileError
from graphflow.models.catalog import ModelCatalog
from graphflow.models.files import NamedFiles
from graphflow.models.fingerprint import Fingerprints
from graphflow.testing import FakeContext, run_node


@pytest.fixture
def folder(ctx: FakeContext) -> Path:
    """Pictures and other files, the oldest first."""
    folder = ctx.artifacts.folder / "photos"
    names = ["b10.png", "b2.PNG", "a.jpg", "notes.txt", ".hidden.png", "deep/c.webp", "deep/.thumbs/d.png"]
    for at, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Pil.new("RGB", (4, 4)).save(folder / name, "PNG")
        os.utime(folder / name, (1000 + at, 1000 + at))
    (folder / "broken.png").symlink_to(folder / "nowhere.png")
    return folder


def listed(ctx: FakeContext, **settings: Any) -> dict[str, Any]:
    return run_node(ListImages(folder="photos", **settings), ctx)


def test_pictures_are_named_in_natural_order(ctx: FakeContext, folder: Path) -> None:
    found = listed(ctx)
    assert found["files"] == ["photos/a.jpg", "photos/b2.PNG", "photos/b10.png"]
    assert found["names"] == ["a", "b2", "b10"]
    assert found["count"] == 3


def test_every_file_opens_as_it_is_named(ctx: FakeContext, folder: Path) -> None:
    for file in listed(ctx, recursive=True)["files"]:
        assert run_node(LoadImage(file=file), ctx)["image"].width == 4


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"recursive": True}, ["a", "b2", "b10", "deep/c"]),
        ({"pattern": "b*"}, ["b2", "b10"]),
        ({"pattern": "*.png"}, ["b2", "b10"]),
        ({"pattern": "?.*", "recursive": True}, ["a", "deep/c"]),
        ({"sort": "newest"}, ["a", "b2", "b10"]),
        ({"sort": "oldest"}, ["b10", "b2", "a"]),
        ({"sort": "oldest", "limit": 1}, ["b10"]),
        ({"limit": 99}, ["a", "b2", "b10"]),
    ],
)
def test_settings_choose_and_order(ctx: FakeContext, folder: Path, settings: dict[str, Any], names: list[str]) -> None:
    assert listed(ctx, **settings)["names"] == names


def test_nothing_found_is_told(ctx: FakeContext, folder: Path) -> None:
    with pytest.raises(InputFileError, match=r'the folder "photos" holds no picture that fits "\*.bmp"'):
        listed(ctx, pattern="*.bmp")
    with pytest.raises(InputFileError, match="nowhere"):
        run_node(ListImages(folder="nowhere"), ctx)
    with pytest.raises(InputFileError, match="notes"):  # a file is no folder
        run_node(ListImages(folder="photos/notes.txt"), ctx)


def test_names_that_are_no_text_are_left_out(ctx: FakeContext, folder: Path) -> None:
    try:
        (folder / os.fsdecode(b"caf\xe9.png")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes names of text only")
    assert listed(ctx)["count"] == 3


def test_names_differ_where_only_endings_do() -> None:
    assert names_of(["a.png", "a.jpg", "b.png", "c.d.png"]) == ["a_png", "a_jpg", "b", "c.d"]


def test_numbers_sort_by_value() -> None:
    names = ["10", "9", "a", "B1", "b01", "b1", "2x"]
    assert sorted(names, key=natural_key) == ["2x", "9", "10", "a", "B1", "b01", "b1"]


def test_a_folder_counts_by_which_files_lie_in_it(tmp_path: Path) -> None:
    files = NamedFiles(ModelCatalog(tmp_path, tmp_path), Fingerprints(), tmp_path / "inputs")
    port = next(port for port in ListImages.node_spec.schema.inputs if port.name == "folder")
    folder = tmp_path / "work" / "photos"
    folder.mkdir(parents=True)
    seen = [files.fingerprint(port, "photos", folder.parent)]

    def has_changed() -> bool:
        seen.append(files.fingerprint(port, "photos", folder.parent))
        return seen[-1] != seen[-2]

    assert not has_changed()
    (folder / "a.png").write_bytes(b"1")
    assert has_changed()
    (folder / "a.png").write_bytes(b"12")
    assert has_changed()
    (folder / "a.png").rename(folder / "b.png")
    assert has_changed()
    assert not has_changed()
    assert files.missing(port, "photos", folder.parent) is None
    assert 'the folder "gone" was not found' in str(files.missing(port, "gone", folder.parent))
    (tmp_path / "inputs" / "photos").mkdir(parents=True)
    assert files.input_folder("photos", folder.parent) == tmp_path / "inputs" / "photos"

"""Artifacts are named by their content and stay inside their folder."""

import threading
from pathlib import Path

import pytest
from blake3 import blake3

from graphflow.cache import ArtifactStore
from graphflow.errors import GraphflowError, InputFileError


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def save(store: ArtifactStore, data: bytes = b"bytes", prefix: str = "") -> str:
    return store.save(data, suffix="png", media_type="image/png", prefix=prefix).name


def test_a_name_is_prefix_and_content(store: ArtifactStore) -> None:
    file = store.save(b"bytes", suffix=".PNG", media_type="image/png", prefix="a red fox")
    digest = blake3(b"bytes").hexdigest()
    assert file.name == f"a_red_fox_{digest[:12]}.png"
    assert (file.size, file.digest, file.media_type) == (5, digest, "image/png")
    assert store.path(file.name).read_bytes() == b"bytes"
    assert store.exists(file.name)


def test_a_picture_knows_its_size(store: ArtifactStore) -> None:
    image = store.save_image(b"bytes", suffix="png", media_type="image/png", width=3, height=2)
    assert (image.width, image.height) == (3, 2)


def test_the_same_bytes_give_the_same_name_and_are_written_once(store: ArtifactStore) -> None:
    name = save(store)
    before = store.path(name).stat().st_mtime_ns
    assert save(store) == name
    assert store.path(name).stat().st_mtime_ns == before
    assert len(store.list()) == 1


def test_a_file_changed_by_hand_is_left_alone_and_another_name_is_used(store: ArtifactStore) -> None:
    name = save(store)
    store.path(name).write_bytes(b"BYTES")
    other = save(store)
    assert other != name
    assert store.path(name).read_bytes() == b"BYTES"
    assert store.path(other).read_bytes() == b"bytes"


@pytest.mark.parametrize(
    ("prefix", "start"),
    [
        ("run/7/fox", "run/7/fox_"),
        ("../../etc/passwd", "etc/passwd_"),
        ("/absolute", "absolute_"),
        ("a\\b:c*?", "a_b_c___"),
        ("grüße", "grüße_"),
        ("..", ""),
        ("a//b/./c", "a/b/c_"),
        ("x" * 300, "x" * 180 + "_"),
        ("狐" * 300, "狐" * 60 + "_"),
        ("nul\0byte\n", "nul_byte_"),
    ],
)
def test_prefixes_are_made_safe(store: ArtifactStore, prefix: str, start: str) -> None:
    name = save(store, prefix=prefix)
    assert name.startswith(start)
    assert name.removeprefix(start) == blake3(b"bytes").hexdigest()[:12] + ".png"
    assert store.path(name).resolve().is_relative_to(store.folder.resolve())


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/passwd", "", "a//b", "C:\\x", "a\\..\\b", "x\0", ".", " x"]
)
def test_names_that_lead_out_are_refused(store: ArtifactStore, name: str) -> None:
    with pytest.raises(InputFileError):
        store.path(name)
    with pytest.raises(InputFileError):
        store.delete(name)
    assert not store.exists(name)


def test_links_that_lead_out_are_refused(store: ArtifactStore, tmp_path: Path) -> None:
    store.folder.mkdir()
    (tmp_path / "secret").write_text("x")
    (store.folder / "link").symlink_to(tmp_path / "secret")
    assert not store.exists("link")


def test_list_shows_the_newest_first_without_drafts(store: ArtifactStore) -> None:
    import os

    old, new = save(store, b"1", "a/b"), save(store, b"2")
    os.utime(store.path(old), (1, 1))
    (store.folder / ".x.draft").write_text("half")
    assert [artifact.name for artifact in store.list()] == [new, old]
    assert store.list()[0].size == 1


def test_delete_says_whether_there_was_one(store: ArtifactStore) -> None:
    name = save(store)
    assert store.delete(name)
    assert not store.delete(name)


def test_an_empty_suffix_is_refused(store: ArtifactStore) -> None:
    with pytest.raises(ValueError, match="suffix"):
        store.save(b"", suffix=".", media_type="x/y")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(GraphflowError, match=r"file.*cannot be written"):
        save(ArtifactStore(tmp_path / "file"))


def test_threads_may_save_the_same_bytes(store: ArtifactStore) -> None:
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(save(store))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 1
    assert len(list(store.folder.iterdir())) == 1

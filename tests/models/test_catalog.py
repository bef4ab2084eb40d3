"""Names of models, and where they lead."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from graphflow.errors import ModelNotFound
from graphflow.models.catalog import ModelCatalog, is_plain_name


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_the_zoo_comes_before_the_models_folder(catalog: ModelCatalog) -> None:
    shutil.copytree(catalog.zoo_folder / "tiny-sd", catalog.models_folder / "checkpoints" / "tiny-sd")
    assert catalog.resolve("tiny-sd") == catalog.zoo_folder / "tiny-sd"


@pytest.mark.parametrize("name", ["single", "single.safetensors"])
def test_a_name_works_with_and_without_its_ending(catalog: ModelCatalog, name: str) -> None:
    assert catalog.resolve(name, "checkpoints") == catalog.models_folder / "checkpoints" / "single.safetensors"


def test_the_kind_decides_between_equal_names(catalog: ModelCatalog) -> None:
    vae, lora = (touch(catalog.models_folder / kind / "same.safetensors") for kind in ("vaes", "loras"))
    assert (catalog.locate("same", "vaes"), catalog.locate("same", "loras")) == (vae, lora)
    assert set(catalog.candidates("same")) == {vae, lora}
    assert catalog.locate("same", "controlnets") is None


def test_subfolders_and_the_models_folder_itself_are_searched(catalog: ModelCatalog) -> None:
    deep = touch(catalog.models_folder / "loras" / "styles" / "ink.safetensors")
    loose = touch(catalog.models_folder / "loose.ckpt")
    assert catalog.locate("styles/ink", "loras") == deep
    assert catalog.locate("loose", "checkpoints") == loose
    assert catalog.locate("loras/styles/ink.safetensors", "loras") == deep


def test_safetensors_win_over_pickle_of_the_same_name(catalog: ModelCatalog) -> None:
    touch(catalog.models_folder / "vaes" / "v.ckpt")
    assert catalog.locate("v", "vaes") == catalog.models_folder / "vaes" / "v.ckpt"
    assert touch(catalog.models_folder / "vaes" / "v.safetensors") == catalog.locate("v", "vaes")


def test_paths_lead_from_the_workflow_then_from_the_working_folder(
    catalog: ModelCatalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, working = (touch(tmp_path / folder / "m.safetensors") for folder in ("flow", "cwd"))
    monkeypatch.chdir(tmp_path / "cwd")
    assert catalog.locate("./m.safetensors") == working
    assert catalog.relative_to(tmp_path / "flow").locate("./m.safetensors") == beside
    assert catalog.locate("../flow/m.safetensors") == tmp_path / "cwd" / ".." / "flow" / "m.safetensors"
    assert catalog.locate(str(beside)) == beside


@pytest.mark.parametrize(
    "name",
    ["../secret.safetensors", "checkpoints/../../secret", "..\\secret", "C:\\secret", "/etc/passwd", "a\0b", "", " "],
)
def test_names_never_leave_the_models_folder(catalog: ModelCatalog, name: str, tmp_path: Path) -> None:
    touch(tmp_path / "secret.safetensors")
    from dataclasses import replace

    closed = replace(catalog, allow_paths=False)
    assert closed.locate(name, "checkpoints") is None
    with pytest.raises(ModelNotFound):
        closed.resolve(name, "checkpoints")


@pytest.mark.parametrize(
    ("name", "plain"), [("a", True), ("a/b.safetensors", True), ("a..b", True), ("/a", False), ("a/../b", False)]
)
def test_plain_names(name: str, plain: bool) -> None:
    assert is_plain_name(name) is plain


def test_a_missing_model_tells_where_it_was_looked_for_and_what_is_near(catalog: ModelCatalog) -> None:
    with pytest.raises(ModelNotFound) as caught:
        catalog.resolve("tinysd", "checkpoints")
    message = str(caught.value)
    assert "Did you mean tiny-sd?" in message
    assert str(catalog.models_folder / "checkpoints") in message
    assert "graphflow models list" in message


def test_a_hub_name_that_may_not_be_fetched_says_how_to(catalog: ModelCatalog) -> None:
    with pytest.raises(ModelNotFound, match="graphflow models pull someone/something"):
        catalog.resolve("someone/something")


def test_the_list_shows_names_kinds_and_sizes(catalog: ModelCatalog) -> None:
    touch(catalog.models_folder / "loras" / "styles" / "ink.safetensors")
    touch(catalog.models_folder / "loras" / "big-00001-of-00002.safetensors")
    touch(catalog.models_folder / "loras" / "notes.txt")
    entries = {(entry.name, entry.kind, entry.source) for entry in catalog.entries()}
    assert entries == {
        ("tiny-sd", "checkpoints", "zoo"),
        ("single.safetensors", "checkpoints", "models"),
        ("styles/ink.safetensors", "loras", "models"),
    }
    assert [entry.bytes for entry in catalog.entries("loras")] == [1]
    assert all(catalog.locate(entry.name, entry.kind) == entry.path for entry in catalog.entries())


def test_a_home_without_models_is_an_empty_catalogue(tmp_path: Path) -> None:
    assert ModelCatalog(tmp_path / "none", tmp_path / "nothing").entries() == []

"""Where packs are found, and what is said of those that cannot be used."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import graphflow
from graphflow import __version__
from graphflow.packs import build_registry, discover
from graphflow.packs.manifest import read_manifest
from graphflow.paths import bundled
from graphflow.settings import Settings
from tests.packs.conftest import ADD, WritePack


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Makes an installed distribution as pip leaves it, with the entry point."""
    site = tmp_path / "site"

    def make(*, point: str = "sums = sums_nodes", manifest: str = "") -> None:
        (site / "sums_nodes" / "maths").mkdir(parents=True)
        (site / "sums_nodes" / "__init__.py").write_text("")
        (site / "sums_nodes" / "maths" / "add.py").write_text(ADD.replace("\n    ", "\n"))
        if manifest:
            (site / "sums_nodes" / "pack.toml").write_text(manifest)
        info = site / "graphflow_sums-1.2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: graphflow-sums\nVersion: 1.2.0\n")
        (info / "entry_points.txt").write_text(f"[graphflow.packs]\n{point}\n")
        monkeypatch.syspath_prepend(site)

    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] == "sums_nodes"]:
        del sys.modules[name]


def test_builtin_pack_is_a_pack_like_any_other(settings: Settings) -> None:
    core = discover(settings, graphflow.__version__)[0]
    assert (core.name, core.place, core.problem) == ("core", "built in", "")
    assert core.package == "graphflow.packs.builtin"


def test_builtin_pack_has_graphflows_version() -> None:
    assert read_manifest(bundled("nodes")).version == graphflow.__version__


def test_installed_package_is_a_pack(settings: Settings, install: Callable[..., None]) -> None:
    install()
    registry = build_registry(settings)
    schema = registry.schema("sums.add")
    assert schema is not None
    assert schema.category == "maths"
    assert registry.spec("sums.add").cls.__module__ == "sums_nodes.maths.add"
    assert registry.pack_version("sums") == "1.2.0"


@pytest.mark.parametrize(
    ("point", "manifest", "error"),
    [
        ("sums = nowhere_at_all", "", "names no package"),
        ("sums = sums_nodes:thing", "", "names no package"),
        ("Sums = sums_nodes", "", "lower-case"),
        ("sums = sums_nodes", 'name = "other"\nversion = "1"\n', "make them the same"),
        ("sums = sums_nodes", 'name = "sums"\nversion = "1"\ngraphflow = ">=99"\n', "graphflow >=99"),
    ],
)
def test_wrong_entry_point_is_listed_with_the_reason(
    settings: Settings, install: Callable[..., None], point: str, manifest: str, error: str
) -> None:
    install(point=point, manifest=manifest)
    problems = [info.problem for info in build_registry(settings).packs() if info.problem]
    assert len(problems) == 1
    assert error in problems[0]


def test_setting_names_packs_and_folders_of_packs(home: Path, write_pack: WritePack, tmp_path: Path) -> None:
    alone = write_pack("alone", {"add.py": ADD}, inside=tmp_path)
    write_pack("first", {"add.py": ADD}, inside=tmp_path / "many")
    write_pack("second", {"add.py": ADD}, inside=tmp_path / "many")
    settings = Settings(home=home, packs=os.pathsep.join([str(alone), str(tmp_path / "many")]))
    assert [source.name for source in discover(settings, __version__)] == ["core", "alone", "first", "second"]


def test_missing_folder_in_the_setting_is_reported(home: Path, tmp_path: Path) -> None:
    settings = Settings(home=home, packs=str(tmp_path / "gone"))
    assert "no such folder" in discover(settings, __version__)[-1].problem


def test_second_pack_of_a_name_says_where_the_first_is(home: Path, write_pack: WritePack, tmp_path: Path) -> None:
    first = write_pack("sums", {"add.py": ADD})
    second = write_pack("sums", {"add.py": ADD}, inside=tmp_path)
    registry = build_registry(Settings(home=home, packs=str(second)))
    problems = [info.problem for info in registry.packs() if info.problem]
    assert len(problems) == 1
    assert str(first) in problems[0]
    assert str(second) in problems[0]
    assert registry.schema("sums.add") is not None
    assert registry.pack_error("sums") is None


def test_folder_that_is_named_twice_is_one_pack(home: Path, write_pack: WritePack) -> None:
    folder = write_pack("sums", {"add.py": ADD})
    settings = Settings(home=home, packs=os.pathsep.join([str(folder), str(folder.parent)]))
    assert [(source.name, source.problem) for source in discover(settings, __version__)] == [("core", ""), ("sums", "")]


@pytest.mark.parametrize(
    ("manifest", "error"),
    [
        ("name = ", "cannot be read as TOML"),
        ('version = "1"\n', '"name" is missing'),
        ('name = "Glow"\nversion = "1"\n', "lower-case"),
        ('name = "glow"\nversion = "one"\n', "'one' is not a version"),
        ('name = "glow"\nversion = 1\n', '"version"'),
        ('name = "glow"\nversion = "1"\ngraphflow = "newest"\n', "not a range"),
        ('name = "glow"\nversion = "1"\nrequirements = ["a b c"]\n', "not a requirement"),
        ('name = "glow"\nversion = "1"\nwebsite = "x"\n', '"website" is not known'),
        ('name = "glow"\nversion = "1"\ngraphflow = "<0.2"\n', "written for graphflow <0.2"),
        ('name = "core"\nversion = "1"\n', 'two packs are named "core"'),
    ],
)
def test_wrong_manifest_is_listed_with_the_reason(
    settings: Settings, write_pack: WritePack, manifest: str, error: str
) -> None:
    write_pack("glow", {"add.py": ADD}, manifest=manifest)
    problems = [info.problem for info in build_registry(settings).packs() if info.problem]
    assert len(problems) == 1
    assert error in problems[0]


def test_folder_without_a_manifest_says_what_to_write(settings: Settings, home: Path) -> None:
    (home / "packs" / "bare").mkdir()
    assert "there is no pack.toml" in discover(settings, __version__)[-1].problem


def test_tests_and_private_files_hold_no_nodes(settings: Settings, write_pack: WritePack) -> None:
    bad = "raise RuntimeError('this file must not be imported')\n"
    hidden = dict.fromkeys(
        ("tests/test_add.py", "test_add.py", "conftest.py", "_inner.py", ".git/hook.py", "setup.py"), bad
    )
    write_pack("sums", {"add.py": ADD, **hidden})
    registry = build_registry(settings)
    assert registry.schema("sums.add") is not None
    assert registry.pack_error("sums") is None

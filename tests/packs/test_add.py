"""Adding packs from folders, zip files and packages."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from graphflow.errors import PackError
from graphflow.packs import build_registry
from graphflow.packs.add import add_pack
from graphflow.packs.install import core_versions, install
from graphflow.settings import Settings
from tests.packs.conftest import ADD, WritePack


def test_folder_is_copied_and_found(settings: Settings, write_pack: WritePack, tmp_path: Path) -> None:
    folder = write_pack("sums", {"maths/add.py": ADD, "__pycache__/add.pyc": ""}, inside=tmp_path)
    added = add_pack(folder, settings)
    assert (added.names, added.missing) == (("sums",), ())
    assert build_registry(settings).schema("sums.add") is not None
    assert not (settings.packs_folder / "sums" / "__pycache__").exists()
    assert [path.name for path in settings.packs_folder.iterdir() if path.name != ".schemas"] == ["sums"]


@pytest.mark.parametrize("top", ["", "sums/", "sums-main/"])
def test_zip_file_is_unpacked(settings: Settings, tmp_path: Path, top: str) -> None:
    path = tmp_path / "sums.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{top}pack.toml", 'name = "sums"\nversion = "1"\n')
        archive.writestr(f"{top}maths/add.py", ADD.replace("\n    ", "\n"))
    add_pack(path, settings)
    assert build_registry(settings).schema("sums.add") is not None


@pytest.mark.parametrize("entry", ["../evil.py", "/tmp/evil.py", "a/../../evil.py", "..\\evil.py"])
def test_zip_file_that_leads_outside_is_refused(settings: Settings, tmp_path: Path, entry: str) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pack.toml", 'name = "evil"\nversion = "1"\n')
        archive.writestr(entry, "")
    with pytest.raises(PackError, match="leads out of the pack"):
        add_pack(path, settings)
    assert not (settings.packs_folder / "evil").exists()


def test_zip_file_that_hides_a_link_is_refused(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pack.toml", 'name = "evil"\nversion = "1"\n')
        link = zipfile.ZipInfo("link.py")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(PackError, match="leads out of the pack"):
        add_pack(path, settings)


def test_pack_that_is_there_already_is_replaced_only_on_purpose(
    settings: Settings, write_pack: WritePack, tmp_path: Path
) -> None:
    folder = write_pack("sums", {"maths/add.py": ADD}, inside=tmp_path)
    add_pack(folder, settings)
    (folder / "maths" / "twice.py").write_text((folder / "maths" / "add.py").read_text().replace('"add"', '"twice"'))
    with pytest.raises(PackError, match="there already"):
        add_pack(folder, settings)
    add_pack(folder, settings, replace=True)
    assert build_registry(settings).schema("sums.twice") is not None


def test_pack_that_is_in_use_from_its_folder_can_be_added(home: Path, write_pack: WritePack, tmp_path: Path) -> None:
    folder = write_pack("sums", {"maths/add.py": ADD}, inside=tmp_path)
    add_pack(folder, Settings(home=home, packs=str(folder)))
    assert build_registry(Settings(home=home, packs="")).schema("sums.add") is not None


def test_pack_whose_name_is_taken_elsewhere_is_refused(home: Path, write_pack: WritePack, tmp_path: Path) -> None:
    taken = write_pack("sums", {"maths/add.py": ADD}, inside=tmp_path / "taken")
    folder = write_pack("sums", {"maths/add.py": ADD}, inside=tmp_path / "new")
    with pytest.raises(PackError, match="there already"):
        add_pack(folder, Settings(home=home, packs=str(taken)))


def test_missing_requirements_are_named_and_not_installed(
    settings: Settings, write_pack: WritePack, tmp_path: Path
) -> None:
    manifest = 'name = "sums"\nversion = "1"\nrequirements = ["pydantic>=2", "nowhere-at-all>=1"]\n'
    added = add_pack(write_pack("sums", {"maths/add.py": ADD}, inside=tmp_path, manifest=manifest), settings)
    assert added.missing == ("nowhere-at-all>=1",)


@pytest.mark.parametrize(
    ("manifest", "error"),
    [
        ('name = "core"\nversion = "1"\n', "built-in pack"),
        ('name = "sums"\nversion = "1"\ngraphflow = ">=99"\n', "written for graphflow"),
        ('name = "sums"\n', '"version" is missing'),
    ],
)
def test_pack_that_could_not_be_loaded_is_not_copied(
    settings: Settings, write_pack: WritePack, tmp_path: Path, manifest: str, error: str
) -> None:
    folder = write_pack("sums", {"maths/add.py": ADD}, inside=tmp_path, manifest=manifest)
    with pytest.raises(PackError, match=error):
        add_pack(folder, settings)
    assert list(settings.packs_folder.iterdir()) == []


@pytest.mark.parametrize(
    "source", ["no such thing", "glow @ https://example.org/glow.whl", "--index-url=x", "../gone/pack"]
)
def test_what_is_no_pack_is_refused(settings: Settings, source: str) -> None:
    with pytest.raises(PackError):
        add_pack(source, settings)


def test_file_that_is_no_zip_is_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "pack.zip").write_text("no zip")
    with pytest.raises(PackError, match="zip"):
        add_pack(tmp_path / "pack.zip", settings)


def wheel(folder: Path, name: str, version: str, *requires: str) -> None:
    """An empty wheel, as a package index would give it."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}/__init__.py", "")
        lines = [
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}",
            *(f"Requires-Dist: {item}" for item in requires),
        ]
        archive.writestr(f"{info}/METADATA", "\n".join(lines) + "\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that takes the place of the package index."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in ("PIP_NO_INDEX", "UV_NO_INDEX"):
        monkeypatch.setenv(name, "1")
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def test_installing_never_changes_the_core(tmp_path: Path, index: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    python = str(next((tmp_path / "venv").glob("[bS]*/python*")))
    site = next((tmp_path / "venv").glob("lib*/**/site-packages"))
    wheel(index, "tinycore", "1.0")
    wheel(index, "tinycore", "0.9")
    wheel(index, "fits", "1.0", "tinycore>=0.5")
    wheel(index, "clashes", "1.0", "tinycore<1")
    core = {"tinycore": "1.0"}
    zipfile.ZipFile(index / "tinycore-1.0-py3-none-any.whl").extractall(site)
    with pytest.raises(PackError, match="does not fit") as refusal:
        install(["clashes"], python=python, core=core)
    assert "tinycore<1" in str(refusal.value)
    assert not (site / "clashes").exists()
    install(["fits"], python=python, core=core)
    assert {path.name for path in site.glob("*.dist-info")} == {"tinycore-1.0.dist-info", "fits-1.0.dist-info"}


def test_core_is_a_package_and_all_that_it_needs() -> None:
    core = core_versions("pytest")
    assert {"pytest", "pluggy", "iniconfig"} <= set(core)
    assert "hypothesis" not in core

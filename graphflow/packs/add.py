"""`graphflow packs add`: a folder, a zip file, or a package from an index."""

from __future__ import annotations

import shutil
import stat
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path, PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

import graphflow
from graphflow.errors import PackError
from graphflow.packs.discover import BUILTIN, ENTRY_POINT_GROUP, discover
from graphflow.packs.install import install, missing
from graphflow.packs.manifest import FILE_NAME, PackManifest, read_manifest
from graphflow.settings import Settings

MAX_ZIP_BYTES = 500 * 10**6
"""Most bytes that a zipped pack may unpack to; models belong in the model folder."""
_IGNORED = shutil.ignore_patterns("__pycache__", ".git", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache")


@dataclass(frozen=True)
class AddedPack:
    """What was added."""

    names: tuple[str, ...]
    """Packs that are new."""
    place: str
    """Where they are now."""
    missing: tuple[str, ...] = ()
    """Python packages that they need and that are not installed."""


def add_pack(source: str | Path, settings: Settings, *, requirements: bool = False, replace: bool = False) -> AddedPack:
    """Add a pack: a folder or zip file is copied into `GRAPHFLOW_HOME/packs`; any other name is a package to install.

    Args:
        source: a folder with `pack.toml`, a zip file of one, or a requirement such as `graphflow-glow>=1.2`.
        settings: they say where packs are kept.
        requirements: also install the Python packages that a folder or zip file needs; otherwise they are only named.
        replace: put a folder or zip file in the place of an installed pack of the same name.

    Raises:
        PackError: it is no pack, does not fit this graphflow, is there already, or would change graphflow's own packages.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        return _add_folder(path, settings, requirements=requirements, replace=replace)
    if path.is_file():
        with tempfile.TemporaryDirectory(prefix="graphflow-pack-") as folder:
            return _add_folder(_unzip(path, Path(folder)), settings, requirements=requirements, replace=replace)
    return _add_package(str(source))


def _add_folder(folder: Path, settings: Settings, *, requirements: bool, replace: bool) -> AddedPack:
    manifest = read_manifest(folder)
    _refuse_unfit(manifest, folder)
    target = settings.packs_folder / manifest.name
    _refuse_namesakes(manifest.name, {target, folder.resolve()}, settings)
    if target.exists() and not replace:
        raise PackError(
            f'the pack "{manifest.name}" is there already: {target}. Replace it on purpose, or remove it first.'
        )
    lacking = missing(manifest.requirements)
    if lacking and requirements:
        install(lacking)
        lacking = []
    _copy_whole(folder, target)
    return AddedPack((manifest.name,), str(target), tuple(lacking))


def _refuse_unfit(manifest: PackManifest, folder: Path) -> None:
    if manifest.name == BUILTIN:
        raise PackError(f'{folder}: "{BUILTIN}" is the name of the built-in pack; choose another in {FILE_NAME}.')
    if not manifest.accepts(graphflow.__version__):
        raise PackError(
            f"{folder}: it is written for graphflow {manifest.graphflow}; this is {graphflow.__version__}. Update the pack or graphflow."
        )


def _refuse_namesakes(name: str, own: set[Path], settings: Settings) -> None:
    """Raise PackError when another pack has the name. `own` are the folder that is added, and the one that it goes to."""
    known = next((source for source in discover(settings, graphflow.__version__) if source.name == name), None)
    if known is not None and known.folder not in own and known.folder.resolve() not in own:
        raise PackError(f'the pack "{name}" is there already: {known.place}. Remove that one first.')


def _copy_whole(folder: Path, target: Path) -> None:
    """Copy under another name, then rename, so that no half of a pack is ever found."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".adding-", dir=target.parent) as waiting:
        copy, former = Path(waiting, "new"), Path(waiting, "former")
        shutil.copytree(folder, copy, ignore=_IGNORED)
        if target.exists():
            target.rename(former)
        copy.rename(target)


def _unzip(path: Path, folder: Path) -> Path:
    """Unpack a zip file and return the pack's folder in it: the top, or the only folder there."""
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_unsafe(archive, path)
            archive.extractall(folder)
    except (zipfile.BadZipFile, OSError) as error:
        raise PackError(f"{path}: it is neither a folder nor a zip file that can be read: {error}.") from None
    inside = [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__"))]
    if (folder / FILE_NAME).exists() or len(inside) != 1:
        return folder
    return inside[0]


def _refuse_unsafe(archive: zipfile.ZipFile, path: Path) -> None:
    entries = archive.infolist()
    if sum(entry.file_size for entry in entries) > MAX_ZIP_BYTES:
        raise PackError(
            f"{path}: it unpacks to more than {MAX_ZIP_BYTES // 10**6} MB; take models and data out of the pack."
        )
    for entry in entries:
        name = PurePosixPath(entry.filename)
        if (
            name.is_absolute()
            or ".." in name.parts
            or "\\" in entry.filename
            or stat.S_ISLNK(entry.external_attr >> 16)
        ):
            raise PackError(f"{path}: the entry {entry.filename!r} leads out of the pack; such a file is not unpacked.")


def _add_package(text: str) -> AddedPack:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        raise PackError(
            f"{text!r} is no folder, no zip file and no package name; give a pack's folder, its zip file, or a name such as graphflow-glow>=1.2."
        ) from None
    if requirement.url is not None:
        raise PackError(f"{text!r} names an address; download the pack and add its folder or zip file.")
    install([text])
    names = sorted(
        point.name
        for point in entry_points(group=ENTRY_POINT_GROUP)
        if point.dist and _same(point.dist.name, requirement.name)
    )
    if not names:
        raise PackError(
            f"{requirement.name} was installed, but it has no entry point in the group {ENTRY_POINT_GROUP!r}: it brings no nodes."
        )
    return AddedPack(tuple(names), sys.prefix)


def _same(one: str, other: str) -> bool:
    return canonicalize_name(one) == canonicalize_name(other)

"""Find packs without importing them: the built-in one, installed packages, folders."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from graphflow.errors import PackError
from graphflow.packs.manifest import FILE_NAME, NAME_PATTERN, PackManifest, read_manifest
from graphflow.packs.user import mount
from graphflow.paths import bundled
from graphflow.settings import Settings

ENTRY_POINT_GROUP = "graphflow.packs"
BUILTIN = "core"
"""Name of the built-in pack; no other pack may have it."""

BUILTIN_PACKAGE = "graphflow.packs.builtin"
"""Import name of the nodes that come with graphflow."""


@dataclass(frozen=True)
class PackSource:
    """A pack as found: who it is and where its modules lie."""

    name: str
    version: str
    folder: Path
    """Folder that holds the node modules."""
    package: str
    """Import name of that folder."""
    place: str
    """Where it was found, as people read it."""
    description: str = ""
    author: str = ""
    license: str = ""
    graphflow: str = ""
    """Versions of graphflow that it is written for."""
    requirements: tuple[str, ...] = ()
    problem: str = ""
    """Why nothing of it can be loaded; empty when it can be tried."""


def discover(settings: Settings, graphflow_version: str) -> tuple[PackSource, ...]:
    """All packs: built in, installed, in `GRAPHFLOW_HOME/packs`, in `$GRAPHFLOW_PACKS`, in this order.

    Packs that cannot be loaded are in it too, with their `problem`. Of two packs of one name the first is kept; the second says where the first is.
    """
    first: dict[str, PackSource] = {}
    found = []
    for source in _sources(settings):
        if source.name in first and first[source.name].folder.resolve() == source.folder.resolve():
            continue
        checked = _with_problems(source, first.get(source.name), graphflow_version)
        if not checked.problem:
            first[checked.name] = checked
            _give_import_name(checked)
        found.append(checked)
    return tuple(found)


def folder_source(folder: Path) -> PackSource:
    """The pack in a folder. A folder that is no pack gives a source with a `problem`."""
    package = "graphflow.packs.user."
    try:
        manifest = read_manifest(folder)
    except PackError as error:
        return PackSource(folder.name, "", folder, package + folder.name, str(folder), problem=str(error))
    return _described(
        PackSource(manifest.name, manifest.version, folder, package + manifest.name, str(folder)), manifest
    )


def _sources(settings: Settings) -> Iterator[PackSource]:
    yield replace(folder_source(bundled("nodes")), package=BUILTIN_PACKAGE, place="built in")
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        yield _installed(point)
    if settings.packs_folder.is_dir():
        yield from _folders_in(settings.packs_folder)
    for text in filter(None, settings.packs.split(os.pathsep)):
        folder = Path(text).expanduser().absolute()
        if (folder / FILE_NAME).exists():
            yield folder_source(folder)
        elif folder.is_dir():
            yield from _folders_in(folder)
        else:
            problem = f"{folder}: there is no such folder; correct the setting `packs` (GRAPHFLOW_PACKS)."
            yield PackSource(folder.name, "", folder, "", str(folder), problem=problem)


def _folders_in(folder: Path) -> Iterator[PackSource]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith((".", "_")):
            yield folder_source(path)


def _installed(point: EntryPoint) -> PackSource:
    distribution = point.dist
    version = distribution.version if distribution is not None else ""
    place = f"package {distribution.name} {version}" if distribution is not None else f"package {point.value}"
    folder = _package_folder(point.module)
    if folder is None or point.attr:
        problem = (
            f"{place}: the entry point {point.name} = {point.value!r} names no package; "
            "name the package (a folder of modules) that holds the node files."
        )
        return PackSource(point.name, version, Path(), point.module, place, problem=problem)
    source = PackSource(point.name, version, folder, point.module, place)
    if not (folder / FILE_NAME).exists():
        return source
    try:
        manifest = read_manifest(folder)
    except PackError as error:
        return replace(source, problem=str(error))
    if manifest.name != point.name:
        problem = f'{folder / FILE_NAME}: "name" is {manifest.name!r}, but the entry point says {point.name!r}; make them the same.'
        return replace(source, problem=problem)
    return replace(_described(source, manifest), version=version or manifest.version)


def _package_folder(name: str) -> Path | None:
    """Folder of an installed package, without importing it or its parents."""
    top, *inner = name.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location, *inner)
        if folder.is_dir():
            return folder
    return None


def _described(source: PackSource, manifest: PackManifest) -> PackSource:
    return replace(
        source,
        description=manifest.description,
        author=manifest.author,
        license=manifest.license,
        graphflow=manifest.graphflow,
        requirements=tuple(manifest.requirements),
    )


def _with_problems(source: PackSource, namesake: PackSource | None, graphflow_version: str) -> PackSource:
    """The source, with what is wrong with it among the others and for this graphflow."""
    if source.problem:
        return source
    if namesake is not None:
        return replace(
            source,
            problem=f'two packs are named "{source.name}": {namesake.place} and {source.place}; the first is used. Rename or remove one of them.',
        )
    if re.fullmatch(NAME_PATTERN, source.name) is None:
        return replace(
            source,
            problem=f"{source.place}: the pack name {source.name!r} is not accepted; use lower-case letters, digits and underscores.",
        )
    if source.graphflow and not PackManifest(name=source.name, version="0", graphflow=source.graphflow).accepts(
        graphflow_version
    ):
        return replace(
            source,
            problem=f"{source.place}: it is written for graphflow {source.graphflow}; this is {graphflow_version}. Update the pack or graphflow.",
        )
    return source


def _give_import_name(source: PackSource) -> None:
    if source.package.startswith("graphflow.packs.user."):
        mount(source.name, source.folder)

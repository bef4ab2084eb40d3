"""Import the modules of a pack and collect the node classes in them. What fails is reported and stops nothing."""

from __future__ import annotations

import importlib
import logging
import os
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

from blake3 import blake3

from graphflow.authoring.describe import NodeSchema
from graphflow.authoring.node import Node, NodeSpec
from graphflow.errors import NodeDefinitionError, PackError
from graphflow.packs.discover import BUILTIN_PACKAGE, PackSource

log = logging.getLogger(__name__)

_NOT_SOURCE = ("tests", "build", "dist", "node_modules")
_NOT_NODES = ("conftest.py", "setup.py", "hatch_build.py")


@dataclass(frozen=True)
class FileProblem:
    """A file of a pack that gave no nodes, or not all."""

    file: str
    """Relative to the pack's folder."""
    summary: str
    """The error in a line."""
    traceback: str
    """All of it; its last line is the error."""
    lasting: bool = False
    """Whether only a change of the pack's files can mend it; what an import raised may be mended by installing something."""


@dataclass(frozen=True)
class LoadedPack:
    """What importing a pack gave."""

    nodes: tuple[NodeSchema, ...]
    problems: tuple[FileProblem, ...]
    seconds: float
    """Time that the imports took."""


def python_files(folder: Path) -> tuple[str, ...]:
    """Every file whose change may change a node of the pack, relative to its folder, in order. Tests and hidden folders are left out."""
    found = []
    for at, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")) and name not in _NOT_SOURCE)
        inside = Path(at).relative_to(folder)
        found += [(inside / name).as_posix() for name in sorted(files) if name.endswith(".py") and name[0] != "."]
    return tuple(found)


def node_files(folder: Path) -> tuple[str, ...]:
    """The modules of a pack that may hold nodes: all but tests, files that build a package, and names that begin with an underscore."""
    return tuple(file for file in python_files(folder) if _may_hold_nodes(PurePosixPath(file)))


def _may_hold_nodes(file: PurePosixPath) -> bool:
    if file.name in _NOT_NODES or file.name.startswith("test_") or any(part[0] == "_" for part in file.parent.parts):
        return False
    return file.name == "__init__.py" or file.name[0] != "_"


def category(file: str) -> str:
    """Menu category of a file: its folder. `sampling/ksampler.py` -> `sampling`."""
    return file.rpartition("/")[0]


def module_name(source: PackSource, file: str) -> str:
    """Import name of a file of a pack."""
    parts = PurePosixPath(file).with_suffix("").parts
    return ".".join((source.package, *(parts[:-1] if parts[-1] == "__init__" else parts)))


def load_pack(source: PackSource, files: Iterable[str] | None = None) -> LoadedPack:
    """Import a pack's modules (or only `files`) and describe the nodes in them. May import torch."""
    importlib.invalidate_caches()
    started = time.perf_counter()
    nodes: dict[str, NodeSchema] = {}
    problems: list[FileProblem] = []
    code = source_digest(source)
    for file in node_files(source.folder) if files is None else files:
        try:
            found = [replace(schema, code=code) for schema in describe_module(source, file)]
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a pack may raise anything at import, SystemExit included
            problems.append(_problem(file, error))
            continue
        for schema in found:
            namesake = nodes.setdefault(schema.name, schema)
            if namesake is not schema:
                problems.append(two_of_one_name(source, namesake, schema))
    return LoadedPack(tuple(nodes.values()), tuple(problems), time.perf_counter() - started)


def source_digest(source: PackSource) -> str:
    """Digest of all that a pack's nodes are made of; empty for the built-in pack."""
    if source.package == BUILTIN_PACKAGE:
        return ""
    digest = blake3()
    for file in python_files(source.folder):
        digest.update(file.encode() + b"\0" + (source.folder / file).read_bytes() + b"\0")
    return digest.hexdigest(16)


def describe_module(source: PackSource, file: str) -> list[NodeSchema]:
    """Import one file of a pack and describe the nodes that it defines. Raises whatever the import raises."""
    module = importlib.import_module(module_name(source, file))
    return [filed(spec.schema, source.name, file) for spec in node_specs(module)]


def node_specs(module: ModuleType) -> list[NodeSpec]:
    """The nodes that a module defines, in its order; those that it imports from elsewhere are not its own."""
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Node)
        and value.__module__ == module.__name__
        and "node_spec" in vars(value)
    ]
    return [cls.node_spec for cls in dict.fromkeys(classes)]


def filed(schema: NodeSchema, pack: str, file: str) -> NodeSchema:
    """The description with its pack, category and file."""
    return replace(schema, pack=pack, category=category(file), module=file)


def import_spec(source: PackSource, schema: NodeSchema) -> NodeSpec:
    """Import the one module that defines a node type. Raises PackError when that fails."""
    place = f'pack "{source.name}", {source.folder / schema.module}'
    try:
        found: Any = importlib.import_module(module_name(source, schema.module))
        for part in schema.class_name.split("."):
            found = getattr(found, part)
        spec: NodeSpec = found.node_spec
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        reason = summary_of(error)
        raise PackError(f"{place}: it cannot be imported: {reason}. `graphflow packs list` shows where.") from error
    return replace(spec, schema=replace(filed(spec.schema, source.name, schema.module), code=schema.code))


def import_quietly(name: str) -> ModuleType | None:
    """A module, or None when it cannot be imported, which is then in the log."""
    try:
        return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a pack may raise anything at import, SystemExit included
        log.warning("%s cannot be imported: %s", name, summary_of(error))
        return None


def two_of_one_name(source: PackSource, first: NodeSchema, second: NodeSchema) -> FileProblem:
    """The problem of two nodes of one name in a pack."""
    text = (
        f'two nodes are named "{second.name}": {first.class_name} in {source.folder / first.module} and '
        f"{second.class_name} in {source.folder / second.module}; the first is used. Rename one of them."
    )
    return FileProblem(second.module, text, text, lasting=True)


def summary_of(error: BaseException) -> str:
    """An exception in a line, with the kind where the text alone would not be understood."""
    text = str(error).strip()
    return text if isinstance(error, NodeDefinitionError) else f"{type(error).__name__}: {text}".removesuffix(": ")


def _problem(file: str, error: BaseException) -> FileProblem:
    shown = traceback.TracebackException.from_exception(error)
    _drop_import_machinery(shown)
    return FileProblem(file, summary_of(error), "".join(shown.format()).rstrip())


def _drop_import_machinery(shown: traceback.TracebackException) -> None:
    """Let the traceback begin in the pack: how graphflow came to import it helps nobody."""
    frames: Sequence[traceback.FrameSummary] = shown.stack
    ours = {__file__, importlib.__file__}
    kept = [
        frame for frame in frames if frame.filename not in ours and not frame.filename.startswith("<frozen importlib")
    ]
    shown.stack = traceback.StackSummary.from_list(kept)

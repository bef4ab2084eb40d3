"""Node descriptions, remembered per pack, so that listing, checking and planning need not import it.

One JSON file per pack in `GRAPHFLOW_HOME/packs/.schemas`. It holds as long as the versions of pack, graphflow and Python and the sizes and times
of the pack's files are what they were.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import orjson

from graphflow.authoring.describe import InputSchema, NodeSchema, OutputSchema, TypeSchema
from graphflow.packs.discover import PackSource
from graphflow.packs.load import FileProblem, LoadedPack, load_pack, python_files, two_of_one_name

log = logging.getLogger(__name__)

_FORMAT = 2


def to_json(schema: TypeSchema | InputSchema | OutputSchema | NodeSchema) -> dict[str, Any]:
    """A description as JSON values; fields that have their default are left out."""
    saved = {}
    for field in fields(schema):
        value = getattr(schema, field.name)
        if value != field.default or type(value) is not type(field.default):
            saved[field.name] = _plain(value)
    return saved


def _plain(value: Any) -> Any:
    if isinstance(value, TypeSchema | InputSchema | OutputSchema):
        return to_json(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def from_json(saved: Mapping[str, Any]) -> NodeSchema:
    """A node type's description from what `to_json` gave. Raises TypeError or KeyError for anything else."""
    inputs = tuple(_port(InputSchema, port) for port in saved.get("inputs", ()))
    outputs = tuple(_port(OutputSchema, port) for port in saved.get("outputs", ()))
    return NodeSchema(**{**saved, "inputs": inputs, "outputs": outputs, "replaces": tuple(saved.get("replaces", ()))})


def as_stored(schema: NodeSchema) -> NodeSchema:
    """The description as it is after writing and reading. Raises TypeError where JSON cannot hold a default or a choice."""
    return from_json(orjson.loads(orjson.dumps(to_json(schema))))


Port = TypeVar("Port", InputSchema, OutputSchema)


def _port(cls: type[Port], saved: Mapping[str, Any]) -> Port:
    return cls(**{**saved, "type": _type(saved["type"])})


def _type(saved: Mapping[str, Any]) -> TypeSchema:
    item = _type(saved["item"]) if saved.get("item") else None
    return TypeSchema(
        **{**saved, "item": item, "bases": tuple(saved.get("bases", ())), "choices": tuple(saved.get("choices", ()))}
    )


@dataclass(frozen=True)
class Remembered:
    """What was written down about a pack."""

    nodes: tuple[NodeSchema, ...]
    failed: tuple[str, ...]
    """Files that could not be imported; they are tried again, as what they lacked may be there now."""
    lasting: tuple[FileProblem, ...]
    """What only a change of the pack's files can mend, such as two nodes of one name."""
    seconds: float
    """Time that importing the pack took."""


class SchemaMemory:
    """The remembered descriptions of all packs, in one folder."""

    def __init__(self, folder: Path, graphflow_version: str) -> None:
        self._folder = folder
        self._graphflow_version = graphflow_version

    def describe(self, source: PackSource) -> LoadedPack:
        """The nodes of a pack: as remembered, or, where its files have changed, by importing it. May then import torch."""
        key = self._key(source)
        known = self._read(source, key)
        if known is None:
            loaded = _storable(load_pack(source))
            self._write(source, key, loaded)
            return loaded
        if not known.failed:
            return LoadedPack(known.nodes, known.lasting, known.seconds)
        again = _storable(load_pack(source, known.failed))
        merged = _merge(source, known, again)
        if again.nodes or len(again.problems) < len(known.failed):
            self._write(source, key, merged)
        return merged

    def forget(self, source: PackSource) -> None:
        """Drop what is remembered of a pack; it is imported the next time."""
        self._path(source).unlink(missing_ok=True)

    def _path(self, source: PackSource) -> Path:
        return self._folder / f"{source.name}.json"

    def _key(self, source: PackSource) -> dict[str, Any]:
        stats = [(file, (source.folder / file).stat()) for file in python_files(source.folder)]
        return {
            "format": _FORMAT,
            "pack": source.version,
            "package": source.package,
            "folder": str(source.folder),
            "graphflow": self._graphflow_version,
            "python": list(sys.version_info[:3]),
            "files": [[file, stat.st_size, stat.st_mtime_ns] for file, stat in stats],
        }

    def _read(self, source: PackSource, key: dict[str, Any]) -> Remembered | None:
        try:
            saved = orjson.loads(self._path(source).read_bytes())
            if saved["key"] != key:
                return None
            nodes = tuple(from_json(node) for node in saved["nodes"])
            lasting = tuple(FileProblem(**problem) for problem in saved["lasting"])
            return Remembered(nodes, tuple(saved["failed"]), lasting, saved["seconds"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s is damaged (%s); the pack is read again.", self._path(source), error)
            return None

    def _write(self, source: PackSource, key: dict[str, Any], loaded: LoadedPack) -> None:
        saved = {
            "key": key,
            "nodes": [to_json(node) for node in loaded.nodes],
            "failed": list(dict.fromkeys(problem.file for problem in loaded.problems if not problem.lasting)),
            "lasting": [asdict(problem) for problem in loaded.problems if problem.lasting],
            "seconds": loaded.seconds,
        }
        path = self._path(source)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(orjson.dumps(saved, option=orjson.OPT_INDENT_2))
            temporary.replace(path)
        except OSError as error:
            log.warning("%s cannot be written (%s); the pack is imported again the next time.", path, error)


def _merge(source: PackSource, known: Remembered, again: LoadedPack) -> LoadedPack:
    nodes = {node.name: node for node in known.nodes}
    problems = [*known.lasting, *again.problems]
    for node in again.nodes:
        namesake = nodes.setdefault(node.name, node)
        if namesake is not node:
            problems.append(two_of_one_name(source, namesake, node))
    ordered = sorted(nodes.values(), key=lambda node: node.module)
    return LoadedPack(tuple(ordered), tuple(problems), known.seconds + again.seconds)


def _storable(loaded: LoadedPack) -> LoadedPack:
    """Without the nodes whose description JSON cannot hold, such as choices that are objects."""
    kept, problems = [], list(loaded.problems)
    for node in loaded.nodes:
        try:
            restored = as_stored(node)
        except TypeError as error:
            text = f"{node.module}, class {node.class_name}: defaults and choices must be text, numbers, true, false or null: {error}"
            problems.append(FileProblem(node.module, text, text, lasting=True))
            continue
        kept.append(restored)
    return replace(loaded, nodes=tuple(kept), problems=tuple(problems))

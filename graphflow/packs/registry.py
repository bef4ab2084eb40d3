"""All node types of all packs, by name. Answers from remembered descriptions; imports a node's module when its class is asked for."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from types import ModuleType

import graphflow
from graphflow.authoring.describe import NodeSchema
from graphflow.authoring.migration import Migration
from graphflow.authoring.node import Node, NodeSpec
from graphflow.errors import NodeDefinitionError, PackError
from graphflow.packs.connections import connection_table
from graphflow.packs.discover import PackSource, discover
from graphflow.packs.load import FileProblem, LoadedPack, filed, import_quietly, import_spec, load_pack
from graphflow.packs.schemas import SchemaMemory, as_stored
from graphflow.settings import Settings


@dataclass(frozen=True)
class PackInfo:
    """A pack as `graphflow packs list` and the editor show it."""

    name: str
    version: str
    place: str
    """Where it was found: built in, a package, or a folder."""
    description: str
    nodes: int
    """How many node types it gives."""
    problems: tuple[FileProblem, ...]
    """Files that failed, each with its traceback."""
    seconds: float
    """Time that importing it took when it was last imported."""
    problem: str = ""
    """Why nothing of it was loaded; empty when it was tried."""

    @property
    def error(self) -> str:
        """Everything that is wrong with it, tracebacks included; the last line is an error. Empty when all is well."""
        return "\n".join(filter(None, [self.problem, *(problem.traceback for problem in self.problems)]))


@dataclass
class _Pack:
    source: PackSource
    loaded: LoadedPack | None = None
    specs: dict[str, NodeSpec] = field(default_factory=dict)
    """Classes that are imported, by node name."""

    @property
    def nodes(self) -> dict[str, NodeSchema]:
        return {schema.name: schema for schema in self.loaded.nodes} if self.loaded is not None else {}


class Registry:
    """Node types by full name; implements `graphflow.graph.graph.NodeTypes`. Safe to use from several threads."""

    def __init__(self, memory: SchemaMemory | None = None) -> None:
        self._memory = memory
        self._packs: dict[str, _Pack] = {}
        self._refused: list[PackSource] = []
        self._schemas: dict[str, NodeSchema] = {}
        self._replaced: dict[str, str] | None = None
        self._lock = RLock()

    def add(self, source: PackSource) -> None:
        """Take in a pack; its nodes are described when first asked for. A source with a problem is listed and gives no nodes.

        Raises PackError when another pack has the name.
        """
        with self._lock:
            if source.problem:
                self._refused.append(source)
                return
            if source.name in self._packs:
                first = self._packs[source.name].source
                raise PackError(
                    f'two packs are named "{source.name}": {first.place} and {source.place}; rename one of them.'
                )
            self._packs[source.name] = _Pack(source)
            self._replaced = None

    def add_nodes(self, pack: str, *classes: type[Node]) -> None:
        """Take in node classes that are at hand, under the name of a pack; for tests and notebooks.

        Raises NodeDefinitionError when a name is taken, naming both classes.
        """
        with self._lock:
            if pack not in self._packs:
                source = PackSource(pack, "0", Path(), "", "given as classes")
                self._packs[pack] = _Pack(source, LoadedPack((), (), 0.0))
            home = self._packs[pack]
            self._describe(home)
            for cls in classes:
                schema = filed(cls.node_spec.schema, pack, "")
                if schema.name in home.nodes:
                    taken = home.nodes[schema.name]
                    raise NodeDefinitionError(
                        f'two nodes are named "{schema.type}": {taken.class_name} {taken.module} and '
                        f"{cls.__qualname__} in {cls.__module__}; rename one of them."
                    )
                spec = cls.node_spec
                home.specs[schema.name] = NodeSpec(
                    spec.cls, schema, spec.migrations, spec.convert, spec.wrap, spec.is_async
                )
                self._keep(home, (*home.nodes.values(), schema))

    def schema(self, type_name: str) -> NodeSchema | None:
        """Description of `pack.node`, also under a name that a node `replaces`; None when there is none. Imports a pack only when it has changed."""
        found = self._schemas.get(type_name)
        if found is not None:
            return found
        pack = self._packs.get(type_name.partition(".")[0])
        if pack is not None and pack.loaded is None:
            self._describe(pack)
            return self.schema(type_name)
        return self._schemas.get(self._replacements().get(type_name, ""))

    def spec(self, type_name: str) -> NodeSpec:
        """The class and all that the engine needs of it; imports the module that defines it.

        Raises PackError when there is no such type or its module cannot be imported.
        """
        schema = self.schema(type_name)
        if schema is None:
            raise PackError(
                f'the node type "{type_name}" is not installed; install the pack "{type_name.partition(".")[0]}".'
            )
        pack = self._packs[schema.pack]
        with self._lock:
            if schema.name not in pack.specs:
                spec = import_spec(pack.source, schema)
                pack.specs[schema.name] = spec
                if as_stored(spec.schema) != as_stored(schema):
                    self._changed(pack, spec.schema)
            return pack.specs[schema.name]

    def migrations(self, type_name: str) -> Mapping[int, Migration]:
        """Steps from older versions of a node type to the next; imports its module when there are any."""
        schema = self.schema(type_name)
        return self.spec(type_name).migrations if schema is not None and schema.version > 1 else {}

    def types(self) -> list[NodeSchema]:
        """All node types, by name."""
        self._describe_all()
        return [self._schemas[name] for name in sorted(self._schemas)]

    def packs(self) -> list[PackInfo]:
        """All packs, those that could not be loaded included."""
        self._describe_all()
        with self._lock:
            return [_info(pack.source, pack.loaded) for pack in self._packs.values()] + [
                _info(source, None) for source in self._refused
            ]

    def sources(self) -> list[PackSource]:
        """The packs whose nodes are here."""
        return [pack.source for pack in self._packs.values()]

    def pack_version(self, pack: str) -> str | None:
        """Version of an installed pack; None when it is not installed."""
        if pack in self._packs:
            return self._packs[pack].source.version
        return next((source.version for source in self._refused if source.name == pack), None)

    def pack_error(self, pack: str) -> str | None:
        """What is wrong with an installed pack, its last line the error; None when all is well or it is not installed."""
        if pack in self._packs:
            self._describe(self._packs[pack])
            return _info(self._packs[pack].source, self._packs[pack].loaded).error or None
        return next((source.problem for source in self._refused if source.name == pack), None)

    def near(self, type_name: str) -> list[str]:
        """Known type names that look alike, or are called so in another pack; best first, at most three."""
        name = type_name.rpartition(".")[2]
        known = [schema.type for schema in self.types()]
        namesakes = [known_type for known_type in known if known_type.rpartition(".")[2] == name]
        alike = difflib.get_close_matches(type_name, known, n=3, cutoff=0.6)
        return list(dict.fromkeys([*namesakes, *alike]))[:3]

    def connections(self) -> dict[str, list[str]]:
        """For each output type, the input types that accept it; see `graphflow.packs.connections`."""
        return connection_table(self.types())

    def find_module(self, name: str) -> ModuleType | None:
        """A module of graphflow or of a pack by its import name, imported if need be; None for any other, and for one that fails.

        Cached results name the classes of packs; this finds those classes again in a new process.
        """
        if name in sys.modules:
            return sys.modules[name]
        packages = ["graphflow", *(pack.source.package for pack in self._packs.values() if pack.source.package)]
        if not any(name == package or name.startswith(f"{package}.") for package in packages):
            return None
        return import_quietly(name)

    def _describe(self, pack: _Pack) -> None:
        with self._lock:
            if pack.loaded is None:
                remember = self._memory
                pack.loaded = remember.describe(pack.source) if remember is not None else load_pack(pack.source)
                self._keep(pack, pack.loaded.nodes)

    def _describe_all(self) -> None:
        for pack in list(self._packs.values()):
            self._describe(pack)

    def _keep(self, pack: _Pack, nodes: Iterable[NodeSchema]) -> None:
        problems, seconds = (pack.loaded.problems, pack.loaded.seconds) if pack.loaded is not None else ((), 0.0)
        pack.loaded = LoadedPack(tuple(nodes), problems, seconds)
        self._schemas.update((schema.type, schema) for schema in pack.loaded.nodes)
        self._replaced = None

    def _changed(self, pack: _Pack, schema: NodeSchema) -> None:
        """Take in a description that differs from what was remembered: something that the pack imports has changed."""
        self._keep(pack, (schema if known.name == schema.name else known for known in pack.nodes.values()))
        if self._memory is not None:
            self._memory.forget(pack.source)

    def _replacements(self) -> dict[str, str]:
        """Type names by the older names that they replace."""
        with self._lock:
            if self._replaced is None:
                self._describe_all()
                self._replaced = {old: schema.type for schema in self._schemas.values() for old in schema.replaces}
            return self._replaced


def _info(source: PackSource, loaded: LoadedPack | None) -> PackInfo:
    nodes, problems, seconds = (
        (len(loaded.nodes), loaded.problems, loaded.seconds) if loaded is not None else (0, (), 0.0)
    )
    return PackInfo(
        source.name, source.version, source.place, source.description, nodes, problems, seconds, source.problem
    )


def build_registry(settings: Settings) -> Registry:
    """Find all packs and take them in. Imports none of them."""
    registry = Registry(SchemaMemory(settings.packs_folder / ".schemas", graphflow.__version__))
    for source in discover(settings, graphflow.__version__):
        registry.add(source)
    return registry

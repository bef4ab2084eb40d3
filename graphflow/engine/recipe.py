"""What a graph's results depend on, node by node: parts, keys, and what must be known before a key can be."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from graphflow.authoring.describe import InputSchema, NodeSchema
from graphflow.authoring.node import NodeSpec
from graphflow.engine.keys import KeyMaker, KeyParts, canonical_values
from graphflow.engine.services import Services
from graphflow.graph.graph import Graph, GraphNode

LAST_PHASE = 2
"""What is neither a file nor a text encoder."""


class NodePorts:
    """What the engine asks of a node type's inputs again and again, found once per type."""

    __slots__ = ("by_name", "files", "identity", "is_io", "lazy", "lists", "phase", "schema", "spec", "type")

    def __init__(self, schema: NodeSchema) -> None:
        self.by_name: dict[str, InputSchema] = {port.name: port for port in schema.inputs}
        self.files: tuple[InputSchema, ...] = tuple(port for port in schema.inputs if port.file_kind is not None)
        self.lazy: frozenset[str] = frozenset(port.name for port in schema.inputs if port.lazy)
        self.lists: frozenset[str] = frozenset(port.name for port in schema.outputs if port.type.kind == "list")
        """Outputs that are lists."""
        self.schema = schema
        self.type = schema.type
        self.identity = f"{schema.type}+{schema.code}" if schema.code else schema.type
        """The type as keys have it."""
        self.spec: NodeSpec | None = None
        """The class behind the type, once it was needed."""
        self.is_io = schema.lane == "io"
        models = {base.rpartition(":")[2] for port in schema.inputs for base in port.type.bases}
        is_encoder = "TextEncoder" in models and "Denoiser" not in models
        self.phase = 0 if self.is_io else 1 if is_encoder else LAST_PHASE
        """What goes first among what is ready: files and network, which overlap the rest; text encoders; everything else."""


def ports_of(graph: Graph) -> list[NodePorts]:
    """The ports of every node, shared between nodes of one type."""
    known: dict[int, NodePorts] = {}
    found = []
    for node in graph.nodes:
        ports = known.get(id(node.schema))
        if ports is None:
            ports = known[id(node.schema)] = NodePorts(node.schema)
        found.append(ports)
    return found


def elementwise(node: GraphNode, name: str, position: int) -> bool:
    """Whether a link brings a list of which each execution takes one element."""
    return name in node.mapped or (name, position) in node.zipped


def deciding_sources(node: GraphNode, graph: Graph, ports: NodePorts) -> set[int]:
    """Nodes whose values, not only keys, decide how this node runs.

    Lists that it is mapped over (their length), names of files (their content), and everything when the class adds its own fingerprint.
    """
    if node.schema.has_fingerprint:
        return {source.node for links in node.links.values() for source in links}
    known: set[int] = set()
    if node.is_mapped:
        for name, links in node.links.items():
            for position, source in enumerate(links):
                if elementwise(node, name, position) and not graph.nodes[source.node].is_mapped:
                    known.add(source.node)
    for port in ports.files:
        known.update(source.node for source in node.links.get(port.name, ()))
    return known


class Recipes:
    """Keys of a graph's nodes, as far as they can be known without running anything.

    A node's key is None while it depends on a value that is not known yet: the name of a file that arrives over a link, or a fingerprint of
    linked inputs. `raised` holds what went wrong while a key was made, such as a missing file.
    """

    def __init__(self, graph: Graph, services: Services) -> None:
        self.graph = graph
        self.ports = ports_of(graph)
        self.mapped = [node.is_mapped for node in graph.nodes]
        self.deciding = {
            index: sources
            for index, node in enumerate(graph.nodes)
            if node.links and (sources := deciding_sources(node, graph, self.ports[index]))
        }
        """For nodes that cannot be unrolled from keys alone: the nodes whose values must be known first."""
        self.maker = KeyMaker(services.salt)
        self.keys: list[str | None] = [None] * len(graph.nodes)
        self.parts: list[bytes | None] = [None] * len(graph.nodes)
        self.raised: dict[int, Exception] = {}
        self._services = services
        self._fingerprints: dict[tuple[str, str], str] = {}

    def find_keys(self) -> None:
        """Make every key that can be made now; linear in nodes and links."""
        for index, node in enumerate(self.graph.nodes):
            if self.keys[index] is None and index not in self.raised and not self._must_wait(index, node):
                try:
                    self._find_key(index, node)
                except Exception as error:  # noqa: BLE001 - belongs to this node; reported when it is its turn
                    self.raised[index] = error

    def _must_wait(self, index: int, node: GraphNode) -> bool:
        if index not in self.deciding:
            return False
        return node.schema.has_fingerprint or any(port.name in node.links for port in self.ports[index].files)

    def _find_key(self, index: int, node: GraphNode) -> None:
        schema, ports, keys = node.schema, self.ports[index], self.keys
        links: dict[str, list[list[str]]] = {}
        unknown = False
        for name, sources in node.links.items():
            described = []
            for source in sources:
                key = keys[source.node]
                if key is not None:
                    described.append([key, source.output])
                elif name in ports.lazy:
                    unknown = True
                else:
                    return
            links[name] = described
        values = self._unmapped(node) if node.mapped else node.values
        parts: KeyParts = [
            ports.identity,
            schema.version,
            canonical_values(ports.by_name, values) if values else {},
            links,
            self.file_parts(ports, node.values) if ports.files else {},
        ]
        if schema.has_fingerprint:
            parts[4] = {**parts[4], "": self.own_fingerprint(node, node.values)}
        if self.mapped[index]:
            lists = {name: node.values[name] for name in node.mapped if name in node.values}
            parts += [sorted(node.mapped), sorted(node.zipped), lists]
        if unknown or schema.cache == "never":
            parts.append(uuid.uuid4().hex)
        self.set_key(index, parts)

    def _unmapped(self, node: GraphNode) -> dict[str, Any]:
        return {name: value for name, value in node.values.items() if name not in node.mapped}

    def set_key(self, index: int, parts: KeyParts) -> str:
        """Set a node's key from its parts, and return it."""
        key, self.parts[index] = self.maker.key(parts)
        self.keys[index] = key
        return key

    def file_parts(self, ports: NodePorts, values: Mapping[str, Any]) -> dict[str, Any]:
        """Fingerprints of the files that values name, by input. Raises ModelError or InputFileError."""
        found: dict[str, Any] = {}
        for port in ports.files:
            value = values.get(port.name, port.default)
            if isinstance(value, list):
                found[port.name] = [self._fingerprint(port, name) for name in value]
            elif value:
                found[port.name] = self._fingerprint(port, value)
        return found

    def _fingerprint(self, port: InputSchema, name: str) -> str:
        folder = str((port.widget or {}).get("folder", ""))
        known = self._fingerprints.get((folder, name))
        if known is None:
            known = self._services.files.fingerprint(port, name, self.graph.folder)
            self._fingerprints[folder, name] = known
        return known

    def own_fingerprint(self, node: GraphNode, inputs: Mapping[str, Any]) -> str:
        """What the class itself adds to the key, for these inputs."""
        spec = self._services.classes.spec(node.schema.type)
        return spec.cls.model_validate(dict(inputs)).fingerprint()

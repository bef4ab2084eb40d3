"""The workflow in memory: checked, flat, in topological order, ready to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from graphflow.authoring.describe import NodeSchema
from graphflow.authoring.migration import Migration


class Source(NamedTuple):
    """Where a link comes from."""

    node: int
    """Index in `Graph.nodes`."""
    output: str


@dataclass(slots=True)
class GraphNode:
    """A node with its checked values and links. Inputs that have neither take their default."""

    id: str
    """As saved; inside a subgraph `outer/inner`."""
    schema: NodeSchema
    values: dict[str, Any] = field(default_factory=dict)
    """JSON values by input name, as saved; a list of values for a mapped input."""
    links: dict[str, tuple[Source, ...]] = field(default_factory=dict)
    mapped: frozenset[str] = frozenset()
    """Inputs taken element by element: element i of the list that comes in; for a list port, a list of that element alone."""
    zipped: frozenset[tuple[str, int]] = frozenset()
    """Links of list ports (input, position) that bring a list whose element i is taken, beside links that are taken whole.

    Only subgraphs that are mapped make these.
    """

    @property
    def is_mapped(self) -> bool:
        """Whether the node runs once per element; each of its outputs is then a list."""
        return bool(self.mapped or self.zipped)


@dataclass(slots=True)
class Graph:
    """A directed acyclic graph; each link points to a smaller index."""

    nodes: list[GraphNode]
    outputs: dict[str, Source] = field(default_factory=dict)
    file: str = ""
    """What messages call the workflow."""
    folder: Path = Path()
    """Folder that input files are relative to."""
    text: str = ""
    """The saved form, parameters set: what goes into the files that a run makes."""
    index: dict[str, int] = field(default_factory=dict)
    """Position by id."""

    def __post_init__(self) -> None:
        """Fill the index."""
        if not self.index:
            self.index = {node.id: at for at, node in enumerate(self.nodes)}


class NodeTypes(Protocol):
    """What is known of node types without importing packs; `graphflow.packs.registry` answers."""

    def schema(self, type_name: str) -> NodeSchema | None:
        """Description of `pack.node`; also under a name that a node `replaces`."""

    def migrations(self, type_name: str) -> Mapping[int, Migration]:
        """Steps from older versions; may import the pack."""

    def pack_version(self, pack: str) -> str | None:
        """Version of an installed pack, None when it is not installed."""

    def pack_error(self, pack: str) -> str | None:
        """Why an installed pack could not be loaded, None when it could."""

    def near(self, type_name: str) -> list[str]:
        """Known type names that look alike, best first, at most three."""

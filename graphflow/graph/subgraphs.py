"""Opening the workflow files that `workflow:` nodes stand for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from graphflow.authoring.describe import InputSchema
from graphflow.errors import WorkflowError
from graphflow.graph.document import Document
from graphflow.graph.graph import NodeTypes
from graphflow.graph.links import is_subgraph, split_place, subgraph_file
from graphflow.graph.load import load_document
from graphflow.graph.migrate import migrate_document


class Subgraphs:
    """Workflow files opened and migrated once, however often they are used."""

    def __init__(self, types: NodeTypes) -> None:
        self._types = types
        self._opened: dict[Path, Document | WorkflowError] = {}
        self._paths: dict[tuple[Path, str], Path] = {}

    def path(self, doc: Document, type_name: str) -> Path:
        """The file that a `workflow:<file>` type of a document names."""
        named = (doc.folder, type_name)
        if named not in self._paths:
            self._paths[named] = real_path(doc.folder / subgraph_file(type_name))
        return self._paths[named]

    def open(self, doc: Document, type_name: str) -> Document:
        """The workflow in that file, migrated. Raises WorkflowError."""
        path = self.path(doc, type_name)
        if path not in self._opened:
            label = os.path.normpath(os.path.join(os.path.dirname(doc.label), subgraph_file(type_name)))
            try:
                self._opened[path] = migrate_document(load_document(path, label=label), self._types)[0]
            except WorkflowError as error:
                self._opened[path] = error
        found = self._opened[path]
        if isinstance(found, WorkflowError):
            raise found
        return found


def real_path(path: Path) -> Path:
    """The file itself, however it was named."""
    return Path(os.path.realpath(path))


@dataclass(frozen=True, slots=True)
class FoundInput:
    """The port that a place sets in the end."""

    port: InputSchema
    mapped: bool
    """Whether a node on the way is mapped over it, so that it takes a list of values."""


def find_input(doc: Document, place: str, types: NodeTypes, subgraphs: Subgraphs) -> FoundInput | None:
    """The input behind `node.input`, followed into subgraphs; None when there is none. Raises WorkflowError for a broken subgraph."""
    seen: set[tuple[Path | None, str]] = set()
    mapped = False
    while (doc.path, place) not in seen:
        seen.add((doc.path, place))
        id, name = split_place(place)
        node = doc.nodes.get(id)
        if node is None:
            return None
        mapped = mapped or name in node.map
        if not is_subgraph(node.type):
            schema = types.schema(node.type)
            port = schema.input(name) if schema is not None else None
            return FoundInput(port, mapped) if port is not None else None
        doc = subgraphs.open(doc, node.type)
        places = doc.params.get(name)
        if not places:
            return None
        place = places[0]
    return None

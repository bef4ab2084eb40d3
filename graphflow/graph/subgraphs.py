"""Opening the workflows that `workflow:` nodes stand for: carried in the file itself, or files beside it."""

from __future__ import annotations

import copy
import json
import os
import posixpath
from dataclasses import dataclass, replace
from pathlib import Path

from graphflow.authoring.describe import InputSchema
from graphflow.errors import WorkflowError
from graphflow.graph.document import Document
from graphflow.graph.graph import NodeTypes
from graphflow.graph.links import is_subgraph, split_place, subgraph_file
from graphflow.graph.load import load_document
from graphflow.graph.migrate import migrate_document
from graphflow.graph.save import dump_document
from graphflow.graph.shape import document_from


class Subgraphs:
    """Workflows opened and migrated once, however often they are used."""

    def __init__(self, types: NodeTypes) -> None:
        self._types = types
        self._opened: dict[Path, Document | WorkflowError] = {}
        self._paths: dict[tuple[Path, str], Path] = {}

    def path(self, doc: Document, type_name: str) -> Path:
        """Where the file lies that a `workflow:<file>` type of a document names; a carried one would lie there."""
        named = (doc.folder, type_name)
        if named not in self._paths:
            self._paths[named] = real_path(doc.folder / subgraph_file(type_name))
        return self._paths[named]

    def open(self, doc: Document, type_name: str) -> Document:
        """The workflow that a `workflow:<file>` type of a document names. Raises WorkflowError."""
        path = self.path(doc, type_name)
        if path not in self._opened:
            try:
                self._opened[path] = migrate_document(_open(doc, subgraph_file(type_name), path), self._types)[0]
            except WorkflowError as error:
                self._opened[path] = error
        found = self._opened[path]
        if isinstance(found, WorkflowError):
            raise found
        return found


def _open(doc: Document, file: str, path: Path) -> Document:
    label = os.path.normpath(os.path.join(os.path.dirname(doc.label), file))
    carrier = doc.carrier or doc
    saved = carrier.workflows.get(_name_in(carrier, path))
    if saved is None:
        return load_document(path, label=label)
    opened = document_from(copy.deepcopy(saved), label, path=path)
    opened.carrier = carrier
    return opened


def _name_in(carrier: Document, path: Path) -> str:
    """What a carrier calls a file: its path relative to the carrier's folder, with forward slashes."""
    return posixpath.normpath(Path(os.path.relpath(path, real_path(carrier.folder))).as_posix())


def carrying_files(doc: Document, types: NodeTypes) -> Document:
    """The same document with the workflows of its `workflow:` nodes inside, so that it runs anywhere. Raises WorkflowError."""
    subgraphs, carried = Subgraphs(types), dict(doc.workflows)
    waiting, seen = [doc], set()
    while waiting:
        outer = waiting.pop()
        for node in outer.nodes.values():
            if is_subgraph(node.type):
                opened = subgraphs.open(outer, node.type)
                name = _name_in(doc, opened.path or Path())
                if name not in seen:
                    seen.add(name)
                    carried[name] = json.loads(dump_document(opened, types))
                    waiting.append(opened)
    return replace(doc, workflows=carried) if carried else doc


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

"""Bringing saved nodes up to the versions that are installed."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

from graphflow.authoring.describe import NodeSchema
from graphflow.authoring.migration import SavedNodeEdit
from graphflow.errors import Finding, WorkflowError
from graphflow.graph.document import Document, SavedNode
from graphflow.graph.graph import NodeTypes
from graphflow.graph.links import split_place


def migrate_document(doc: Document, types: NodeTypes) -> tuple[Document, list[str]]:
    """A document whose nodes have the installed versions, and what changed, as sentences.

    The document itself is returned when nothing has to change; else a copy. Nodes of unknown types, and those saved by a newer
    version than the installed one, are kept as they are. Raises WorkflowError when a migration fails.
    """
    old = _outdated(doc, types)
    if not old:
        return doc, []
    changed = _copy(doc)
    done: list[str] = []
    findings: list[Finding] = []
    renamed: dict[str, _Renamed] = {}
    for id, schema in old.items():
        node = changed.nodes[id]
        try:
            renamed[id] = _migrate_node(node, schema, types)
        except _StepFailed as error:
            findings.append(Finding(str(error), doc.label, id, code="migration_failed"))
            continue
        before = doc.nodes[id]
        done.append(f'node "{id}": {before.type}@{before.version} became {node.type}@{node.version}')
    if findings:
        raise WorkflowError(findings)
    done += _follow(changed, renamed)
    for pack in sorted({schema.pack for schema in old.values()} & set(changed.packs)):
        changed.packs[pack] = types.pack_version(pack) or changed.packs[pack]
    return changed, done


def _outdated(doc: Document, types: NodeTypes) -> dict[str, NodeSchema]:
    found: dict[str, NodeSchema] = {}
    known: dict[tuple[str, int | None], NodeSchema | None] = {}
    for id, node in doc.nodes.items():
        if node.version is None:
            continue
        identity = (node.type, node.version)
        if identity not in known:
            schema = types.schema(node.type)
            current = schema is None or (schema.version == node.version and schema.type == node.type)
            known[identity] = None if current or (schema and node.version > schema.version) else schema
        outdated = known[identity]
        if outdated is not None:
            found[id] = outdated
    return found


def _copy(doc: Document) -> Document:
    nodes = {
        id: SavedNode(node.type, node.version, deepcopy(node.values), deepcopy(node.links), list(node.map))
        for id, node in doc.nodes.items()
    }
    params = {name: list(places) for name, places in doc.params.items()}
    return replace(doc, nodes=nodes, packs=dict(doc.packs), params=params, outputs=dict(doc.outputs))


class _StepFailed(Exception):
    """A migration is missing or raised; the message is a sentence."""


class _Renamed:
    """New names of a node's ports by the saved ones; None for inputs that are gone."""

    def __init__(self) -> None:
        self.inputs: dict[str, str | None] = {}
        self.outputs: dict[str, str | None] = {}


class _TracedEdit(SavedNodeEdit):
    """An edit that remembers what became of the inputs, so that parameters can follow."""

    def __init__(self, node: SavedNode) -> None:
        super().__init__(node.values, node.links, node.map)
        self.inputs: dict[str, str | None] = {}

    def rename_input(self, old: str, new: str) -> None:
        super().rename_input(old, new)
        _then(self.inputs, {old: new})

    def remove_input(self, name: str) -> None:
        super().remove_input(name)
        _then(self.inputs, {name: None})


def _then(names: dict[str, str | None], step: dict[str, Any]) -> None:
    """Follow names through one more renaming."""
    came_from = {now for now in names.values() if now is not None}
    for first, now in names.items():
        if now is not None:
            names[first] = step.get(now, now)
    for old, new in step.items():
        if old not in came_from:
            names.setdefault(old, new)


def _migrate_node(node: SavedNode, schema: NodeSchema, types: NodeTypes) -> _Renamed:
    renamed = _Renamed()
    start = node.version or 1
    steps = types.migrations(schema.type) if start < schema.version else {}
    for version in range(start, schema.version):
        edit = _TracedEdit(node)
        step = steps.get(version)
        if step is None:
            raise _StepFailed(f'"{schema.type}" has no migration from version {version}; update or reinstall its pack.')
        try:
            step(edit)
        except Exception as error:  # a pack's code; whatever it raises is told with its place
            what = f"{type(error).__name__}: {error}"
            raise _StepFailed(f'the migration of "{schema.type}" from version {version} failed ({what}).') from error
        node.values, node.links, node.map = edit.values, edit.links, edit.mapped
        _then(renamed.inputs, edit.inputs)
        _then(renamed.outputs, edit.renamed_outputs)
    node.type, node.version = schema.type, schema.version
    return renamed


def _follow(doc: Document, renamed: dict[str, _Renamed]) -> list[str]:
    """Rename links, outputs and parameters of a document after its nodes' ports."""
    outputs = {id: names.outputs for id, names in renamed.items() if names.outputs}
    inputs = {id: names.inputs for id, names in renamed.items() if names.inputs}

    def moved(place: str) -> str:
        node, output = split_place(place)
        return f"{node}.{outputs[node].get(output, output)}" if node in outputs else place

    if outputs:
        for node in doc.nodes.values():
            for name, link in node.links.items():
                node.links[name] = moved(link) if isinstance(link, str) else [moved(one) for one in link]
        doc.outputs = {name: moved(place) for name, place in doc.outputs.items()}
    done = []
    for param, places in list(doc.params.items()) if inputs else ():
        kept = []
        for place in places:
            id, name = split_place(place)
            now = inputs.get(id, {}).get(name, name)
            if now is None:
                done.append(f'parameter "{param}": {place} is gone, the node no longer has that input')
            else:
                kept.append(f"{id}.{now}")
        doc.params[param] = kept
        if not kept:
            del doc.params[param]
    return done

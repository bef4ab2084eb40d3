"""Subgraphs: every `workflow:` node becomes the nodes of its file, under ids `outer/inner`.

A use of a file is a Sheet. What the outer node gives to an exposed parameter is handed down to the places behind it, file by file, from the
outside in; nothing here recurs, so nesting is limited by files only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from graphflow.errors import WorkflowError
from graphflow.graph.document import Document, SavedNode
from graphflow.graph.findings import FindingList, quoted
from graphflow.graph.graph import NodeTypes
from graphflow.graph.links import each_link, is_subgraph, split_place, subgraph_file
from graphflow.graph.subgraphs import Subgraphs, real_path

MAX_NODES = 100_000
"""Most nodes that subgraphs add: files that include each other twice and again would fill any memory."""


@dataclass(slots=True, eq=False)
class Fan:
    """A mapped `workflow:` node."""

    id: str
    """Full id of the node."""


@dataclass(slots=True, eq=False)
class Given:
    """What an outer node gives to a place inside its subgraph: a value or links."""

    sheet: Sheet
    """Where it is written; links are resolved there."""
    node: str
    input: str
    value: Any = None
    links: list[str] | None = None
    fans: tuple[Fan, ...] = ()
    """Mapped subgraphs whose lists come in here."""


@dataclass(slots=True, eq=False)
class Sheet:
    """One use of a workflow file."""

    doc: Document
    prefix: str = ""
    parent: Sheet | None = None
    node: str = ""
    """The node of the parent that it stands behind."""
    fans: frozenset[Fan] = frozenset()
    """Mapped subgraphs that it is part of."""
    nodes: dict[str, int] = field(default_factory=dict)
    """Positions among the flat nodes, by id in this file."""
    children: dict[str, Sheet] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    """Subgraph nodes whose file is missing or wrong."""
    given: dict[str, dict[str, Given]] = field(default_factory=dict)
    """What comes from outside, by node and input."""

    file: Path | None = None
    """The file itself, however it was named."""

    def above(self) -> Iterator[Sheet]:
        """This use and those that it is part of, innermost first."""
        sheet: Sheet | None = self
        while sheet is not None:
            yield sheet
            sheet = sheet.parent


@dataclass(slots=True, eq=False)
class FlatNode:
    """A node that is no subgraph, wherever it was written."""

    id: str
    local: str
    """Id in its own file."""
    sheet: Sheet
    saved: SavedNode


@dataclass(slots=True)
class Flat:
    """A workflow with its subgraphs laid out."""

    sheets: list[Sheet]
    """Outer before inner; the first is the workflow itself."""
    nodes: list[FlatNode]


def expand(doc: Document, types: NodeTypes, findings: FindingList) -> Flat:
    """Lay out a migrated document. Subgraphs that are missing, wrong or lead back to themselves become findings."""
    subgraphs = Subgraphs(types)
    flat = Flat([Sheet(doc, file=real_path(doc.path) if doc.path is not None else None)], [])
    for sheet in flat.sheets:  # grows while it is walked
        _lay_out(sheet, flat, subgraphs, findings)
        for id, child in sheet.children.items():
            _hand_down(sheet, id, child, findings)
        if len(flat.nodes) + len(flat.sheets) > MAX_NODES + len(doc.nodes):
            message = f"its subgraphs have more than {MAX_NODES} nodes together; split the workflow."
            findings.add(message, file=doc.label, code="too_large")
            return Flat([Sheet(Document(path=doc.path, label=doc.label))], [])
    return flat


def _lay_out(sheet: Sheet, flat: Flat, subgraphs: Subgraphs, findings: FindingList) -> None:
    nodes, prefix, positions = flat.nodes, sheet.prefix, sheet.nodes
    for id, saved in sheet.doc.nodes.items():
        if saved.version is None and is_subgraph(saved.type):
            child = _open(sheet, id, saved, subgraphs, findings)
            if child is None:
                sheet.broken.add(id)
            else:
                sheet.children[id] = child
                flat.sheets.append(child)
        else:
            positions[id] = len(nodes)
            nodes.append(FlatNode(prefix + id, id, sheet, saved))


def _open(sheet: Sheet, id: str, saved: SavedNode, subgraphs: Subgraphs, findings: FindingList) -> Sheet | None:
    doc, file = sheet.doc, subgraph_file(saved.type)
    path = subgraphs.path(doc, saved.type)
    around = [each.file for each in sheet.above()]
    if path in around:
        names = [each.name for each in reversed(around[: around.index(path) + 1]) if each is not None]
        message = f"the workflow contains itself: {' -> '.join([*names, path.name])}; remove one of these nodes."
        findings.add(message, file=doc.label, node=id, code="subgraph_recursion", value=file)
        return None
    try:
        opened = subgraphs.open(doc, saved.type)
    except WorkflowError as error:
        if any(found.code == "missing_file" for found in error.findings):
            message = (
                f'the workflow file "{file}" was not found; it is looked for beside {doc.label or "this workflow"}.'
            )
            findings.add(message, file=doc.label, node=id, code="missing_subgraph", value=file)
        else:
            findings.extend(error.findings)
        return None
    return Sheet(opened, f"{sheet.prefix}{id}/", sheet, id, file=path)


def _hand_down(sheet: Sheet, id: str, child: Sheet, findings: FindingList) -> None:
    """Give what a `workflow:` node was given to the places behind its parameters."""
    saved, label = sheet.doc.nodes[id], sheet.doc.label
    given = {name: Given(sheet, id, name, value=value) for name, value in saved.values.items()}
    outside = sheet.given.get(id, {})
    for name, link in saved.links.items():
        if name in given and name not in outside:
            message = "it has both a value and a link; keep one."
            findings.add(message, file=label, node=id, input=name, code="value_and_link")
        given[name] = Given(sheet, id, name, links=each_link(link))
    given.update(outside)
    params = child.doc.params
    for name in [*saved.values, *saved.links, *saved.map]:
        if name not in params:
            message = f'{child.doc.label} has no parameter "{name}"; {findings.near(name, params)}'
            findings.add(message, file=label, node=id, input=name, code="unknown_input")
    child.fans = sheet.fans
    if saved.map:
        fan = Fan(sheet.prefix + id)
        child.fans |= {fan}
        _map(sheet, id, [name for name in saved.map if name in params], given, fan, findings)
    for name, one in given.items():
        for place in params.get(name, ()):
            node, input = split_place(place)
            child.given.setdefault(node, {})[input] = one


def _map(sheet: Sheet, id: str, names: list[str], given: dict[str, Given], fan: Fan, findings: FindingList) -> None:
    lists = {}
    for name in names:
        one = given.get(name)
        if one is None:
            message = "the node is mapped over it, but it has neither a list nor a link; give one."
            findings.add(message, file=sheet.doc.label, node=id, input=name, code="map_without_list")
            continue
        given[name] = replace(one, fans=(*one.fans, fan))
        if one.links is None and isinstance(one.value, list):
            lists[name] = one.value
        elif one.links is None:
            add_not_a_list(one.sheet.doc.label, one.node, one.input, one.value, findings)
    add_unequal_lists(sheet.doc.label, id, lists, findings)


def add_not_a_list(file: str, node: str, input: str, value: Any, findings: FindingList) -> None:
    """Note that a mapped input has a value which is no list."""
    message = f"the node is mapped over it, so it takes a list of values; it was given {quoted(value)}."
    findings.add(message, file=file, node=node, input=input, code="map_without_list", value=value)


def add_unequal_lists(file: str, node: str, lists: dict[str, list[Any]], findings: FindingList) -> None:
    """Note that the lists which a node is mapped over have different lengths."""
    if len({len(value) for value in lists.values()}) > 1:
        told = ", ".join(f'"{name}" has {len(value)}' for name, value in lists.items())
        message = f"it is mapped over lists of different lengths: {told}; give lists of one length."
        findings.add(message, file=file, node=node, code="unequal_lists")

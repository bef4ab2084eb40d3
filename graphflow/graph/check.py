"""Everything that is wrong with a workflow, at once; and the graph, when nothing is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from graphflow.authoring.describe import InputSchema
from graphflow.errors import Finding, WorkflowError
from graphflow.graph.checking.connections import Connections
from graphflow.graph.checking.expand import Flat, FlatNode, expand
from graphflow.graph.checking.fans import WHOLE, Elementwise, in_fan, own_map
from graphflow.graph.checking.packs import newer_packs
from graphflow.graph.checking.type_table import NodePorts, TypeTable
from graphflow.graph.checking.values import InputCheck
from graphflow.graph.checking.wiring import Links, Wiring
from graphflow.graph.collector import collector_paused
from graphflow.graph.document import Document
from graphflow.graph.findings import FindingList
from graphflow.graph.graph import Graph, GraphNode, NodeTypes, Source
from graphflow.graph.links import each_link
from graphflow.graph.migrate import migrate_document
from graphflow.graph.order import cycle_text, cycles, topological_order


class FileFinder(Protocol):
    """Looks up the files that inputs name."""

    def missing(self, schema: InputSchema, name: str, folder: Path) -> str | None:
        """Why the file named by a ModelFile or InputFile input cannot be found, as a sentence; None when it can."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found."""

    graph: Graph | None
    """None when one of the findings is an error."""
    findings: list[Finding]


@collector_paused()
def check(doc: Document, types: NodeTypes, *, files: FileFinder | None = None) -> CheckResult:
    """Check a document with its subgraphs against the installed node types, and make its graph.

    Works on a migrated copy; the document stays as it is. Reports everything that is wrong, not the first. Values are checked only
    where they are saved. With `files`, missing model and input files are findings too.
    """
    findings = FindingList()
    try:
        doc = migrate_document(doc, types)[0]
    except WorkflowError as error:
        return CheckResult(None, list(error.findings))
    flat = expand(doc, types, findings)
    graph = _Check(flat, types, files, findings).graph()
    if not doc.nodes:
        findings.add("the workflow has no nodes.", file=doc.label, code="empty", severity="warning")
    for sheet in flat.sheets:
        newer_packs(sheet.doc, types, findings)
    return CheckResult(None if findings.has_errors else graph, findings.found)


class _Check:
    """One pass over the flat nodes; positions in the lists are those of `flat.nodes`."""

    def __init__(self, flat: Flat, types: NodeTypes, files: FileFinder | None, findings: FindingList) -> None:
        self._flat = flat
        self._findings = findings
        table = TypeTable(types)
        self._ports = [self._known_ports(node, table) for node in flat.nodes]
        self._inputs = InputCheck(flat.sheets[0].doc, files.missing if files else None, findings)
        self._wiring = Wiring(flat, self._ports, findings)
        self._values: list[Mapping[str, Any]] = []
        self._links: list[Links] = []
        self._maps: list[Elementwise] = []

    def graph(self) -> Graph | None:
        """The graph, None when there are errors; every finding is noted."""
        for node, ports in zip(self._flat.nodes, self._ports, strict=True):
            self._read(node, ports)
        order = self._order()
        self._take_elements(order)
        connections = Connections(self._flat.nodes, self._ports, self._links, self._maps, self._findings)
        for index in order:
            connections.check(index)
        outputs = self._wiring.outputs()
        self._wiring.params()
        return self._build(order, outputs)

    def _known_ports(self, node: FlatNode, table: TypeTable) -> NodePorts | None:
        saved = node.saved
        ports = table.ports(saved.type)
        if ports is None:
            code, message = table.why_unknown(saved.type)
            self._findings.add(message, file=node.sheet.doc.label, node=node.local, code=code, value=saved.type)
            return None
        installed = ports.schema.version
        if saved.version is not None and saved.version > installed:
            message = (
                f'it was saved with version {saved.version} of "{saved.type}", but version {installed} is installed; '
                f'update the pack "{ports.schema.pack}". The node is kept as it is.'
            )
            self._findings.add(message, file=node.sheet.doc.label, node=node.local, code="newer_node")
            return None
        return ports

    def _read(self, node: FlatNode, ports: NodePorts | None) -> None:
        """Take in a node's values and links, with what comes from outside, and check the values."""
        saved, sheet = node.saved, node.sheet
        given = sheet.given.get(node.local) if sheet.given else None
        values: Mapping[str, Any] = saved.values
        links: Links = {}
        lost: set[str] = set()
        if given:
            values = {name: value for name, value in values.items() if name not in given}
            values |= {name: one.value for name, one in given.items() if one.links is None}
        source = self._wiring.source
        for name, link in saved.links.items():
            if given and name in given:
                continue
            found = [source(sheet, place, node=node.local, input=name) for place in each_link(link)]
            links[name] = tuple([one for one in found if one is not None])
            if len(links[name]) < len(found):
                lost.add(name)
        for name, one in (given or {}).items():
            if one.links is not None:
                found = [source(one.sheet, place, node=one.node, input=one.input) for place in one.links]
                links[name] = tuple([each for each in found if each is not None])
                if len(links[name]) < len(found):
                    lost.add(name)
        own = WHOLE
        if ports is not None:
            if saved.map:
                own = own_map(node, ports, set(values), set(links), self._findings)
            values = self._inputs.check(node, ports, values, links, own)
        for name in lost:
            if not links[name]:
                del links[name]
        self._values.append(values)
        self._links.append(links)
        self._maps.append(own)

    def _order(self) -> list[int]:
        """Positions in topological order; what is on a cycle comes last, with a finding."""
        ids = [node.id for node in self._flat.nodes]
        sources = [[source.node for each in links.values() for source in each] for links in self._links]
        order = topological_order(ids, sources)
        if len(order) < len(ids):
            rest = sorted(set(range(len(ids))) - set(order), key=ids.__getitem__)
            for path in cycles(ids, sources, rest):
                self._add_cycle(path)
            order += rest
        return order

    def _add_cycle(self, path: list[int]) -> None:
        nodes = [self._flat.nodes[index] for index in path]
        node = nodes[0]
        inside = all(each.sheet is node.sheet for each in nodes)
        label = node.sheet.doc.label if inside else self._flat.sheets[0].doc.label
        names = [each.local if inside else each.id for each in nodes]
        if len(path) == 1:
            message, code = "it is linked to itself; remove that link.", "self_link"
        else:
            message, code = f"it leads back to itself: {cycle_text(names)}; remove one of these links.", "cycle"
        self._findings.add(message, file=label, node=names[0], code=code, value=names)

    def _take_elements(self, order: list[int]) -> None:
        if not any(sheet.fans for sheet in self._flat.sheets):
            return
        maps = self._maps
        for index in order:
            node, ports = self._flat.nodes[index], self._ports[index]
            if node.sheet.fans and ports is not None:
                maps[index] = in_fan(node, ports, maps[index], self._links[index], maps, self._findings)

    def _build(self, order: list[int], outputs: dict[str, Source]) -> Graph | None:
        if self._findings.has_errors:
            return None
        position = [0] * len(order)
        for at, index in enumerate(order):
            position[index] = at
        nodes = []
        for index in order:
            ports, map = self._ports[index], self._maps[index]
            assert ports is not None  # an unknown type is an error
            links = {
                name: tuple([Source(position[node], output) for node, output in sources])
                for name, sources in self._links[index].items()
            }
            id, values = self._flat.nodes[index].id, dict(self._values[index])
            nodes.append(GraphNode(id, ports.schema, values, links, map.mapped, map.zipped))
        root = self._flat.sheets[0].doc
        exposed = {name: Source(position[source.node], source.output) for name, source in outputs.items()}
        return Graph(nodes, exposed, file=root.label, folder=root.folder)

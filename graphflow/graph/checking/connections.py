"""Do the types of linked ports fit?"""

from __future__ import annotations

from collections.abc import Sequence

from graphflow.authoring.describe import InputSchema, TypeSchema, connects
from graphflow.graph.checking.expand import FlatNode
from graphflow.graph.checking.fans import Elementwise
from graphflow.graph.checking.type_table import NodePorts
from graphflow.graph.checking.wiring import Links
from graphflow.graph.findings import FindingList


class Connections:
    """Checks links by the types of their ends; equal pairs of types are compared once."""

    def __init__(
        self,
        nodes: Sequence[FlatNode],
        ports: Sequence[NodePorts | None],
        links: Sequence[Links],
        maps: Sequence[Elementwise],
        findings: FindingList,
    ) -> None:
        self._nodes = nodes
        self._ports = ports
        self._links = links
        self._maps = maps
        self._findings = findings
        self._known: dict[tuple[int, int, bool, bool, bool], str] = {}

    def check(self, index: int) -> None:
        """Note the links of a node that bring what their input does not take."""
        ports = self._ports[index]
        if ports is None:
            return
        own = self._maps[index]
        for name, sources in self._links[index].items():
            port = ports.inputs.get(name)
            if port is None:
                continue
            for position, (source, output) in enumerate(sources):
                other = self._ports[source]
                if other is None:
                    continue
                given = other.outputs[output].type
                taken = own.is_mapped and own.takes_element(name, position)
                # A list port appends what it takes from a list, but is extended by the list that one element of a mapped node gives.
                pair = (id(given), id(port.type), self._maps[source].is_mapped, taken, port.many)
                wrong = self._known.get(pair)
                if wrong is None:
                    wrong = self._known[pair] = _mismatch(given, port, pair[2], taken)
                if wrong:
                    self._add(index, name, f"{self._nodes[source].id}.{output}", wrong)

    def _add(self, index: int, name: str, place: str, wrong: str) -> None:
        node = self._nodes[index]
        given = node.sheet.given.get(node.local, {}).get(name)
        file, id, input = node.sheet.doc.label, node.local, name
        if given is not None:
            file, id, input = given.sheet.doc.label, given.node, given.input
        else:
            place = place.removeprefix(node.sheet.prefix)
        message = f'"{place}" {wrong}'
        self._findings.add(message, file=file, node=id, input=input, code="link_type", value=place)


def _mismatch(given: TypeSchema, port: InputSchema, from_mapped: bool, taken: bool) -> str:
    """Why an output does not fit an input, as the end of a sentence; empty when it does."""
    target = port.type
    if taken and not from_mapped:
        wanted = target.item if port.many and target.item is not None else target
        if given.kind == "any" or (given.kind == "list" and (given.item is None or connects(given.item, wanted))):
            return ""
        return f"gives {given.name}, but the node is mapped over this input, which then takes list[{wanted.name}]."
    if from_mapped and not taken:
        given = TypeSchema("list", f"list[{given.name}]", item=given)
        if not connects(given, target):
            return f"gives {given.name}, as that node is mapped, but the input takes {target.name}."
        return ""
    return "" if connects(given, target) else f"gives {given.name}, but the input takes {target.name}."

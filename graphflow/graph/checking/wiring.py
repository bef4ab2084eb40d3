"""From `node.output` texts to the nodes that they name."""

from __future__ import annotations

from graphflow.graph.checking.expand import Flat, Sheet
from graphflow.graph.checking.type_table import NodePorts, output_list
from graphflow.graph.findings import FindingList
from graphflow.graph.graph import Source
from graphflow.graph.links import split_place

Links = dict[str, tuple[Source, ...]]


class Wiring:
    """Resolves places of sheets to flat nodes, and notes those that lead nowhere."""

    def __init__(self, flat: Flat, ports: list[NodePorts | None], findings: FindingList) -> None:
        self._flat = flat
        self._ports = ports
        self._findings = findings

    def source(self, sheet: Sheet, place: str, *, node: str = "", input: str = "", exposed: str = "") -> Source | None:
        """The flat node and output that a link of `node`, or the output `exposed`, names; None, with a finding, when there is none."""
        id, _, output = place.partition(".")
        index = sheet.nodes.get(id)
        if index is not None:
            ports = self._ports[index]
            if ports is None or output in ports.outputs:
                return Source(index, output)
            self._no_output(sheet, place, list(ports.outputs), node, input, exposed)
            return None
        return self._through_subgraph(sheet, place, node, input, exposed)

    def _through_subgraph(self, sheet: Sheet, place: str, node: str, input: str, exposed: str) -> Source | None:
        first = sheet
        id, output = split_place(place)
        while id in sheet.children:
            child = sheet.children[id]
            inner = child.doc.outputs.get(output)
            if inner is None:
                if sheet is first:
                    self._no_output(first, place, list(child.doc.outputs), node, input, exposed)
                return None  # deeper ones are told with the file that they stand in
            sheet = child
            id, output = split_place(inner)
        index = sheet.nodes.get(id)
        if index is not None:
            ports = self._ports[index]
            return Source(index, output) if ports is None or output in ports.outputs else None
        if sheet is first and id not in sheet.broken:
            message = (
                f'{_subject(place, exposed)}, but there is no node "{id}"; {self._findings.near(id, sheet.doc.nodes)}'
            )
            self._findings.add(message, file=sheet.doc.label, node=node, input=input, code="unknown_node", value=place)
        return None

    def outputs(self) -> dict[str, Source]:
        """The exposed outputs of the workflow; those of subgraphs are looked at too."""
        found: dict[str, Source] = {}
        for sheet in self._flat.sheets:
            for name, place in sheet.doc.outputs.items():
                source = self.source(sheet, place, exposed=name)
                if source is not None and sheet.parent is None:
                    found[name] = source
        return found

    def params(self) -> None:
        """Note parameters that set nothing."""
        for sheet in self._flat.sheets:
            for param, places in sheet.doc.params.items():
                for place in places:
                    self._param(sheet, param, place)

    def _param(self, sheet: Sheet, param: str, place: str) -> None:
        id, name = split_place(place)
        near, known = self._findings.near, []
        if id in sheet.broken:
            return
        if id in sheet.nodes:
            ports = self._ports[sheet.nodes[id]]
            if ports is None or name in ports.inputs:
                return
            known = list(ports.inputs)
        elif id in sheet.children:
            if name in sheet.children[id].doc.params:
                return
            known = list(sheet.children[id].doc.params)
        else:
            message = (
                f'the parameter "{param}" sets "{place}", but there is no node "{id}"; {near(id, sheet.doc.nodes)}'
            )
            self._findings.add(message, file=sheet.doc.label, code="unknown_node", value=place)
            return
        message = f'the parameter "{param}" sets "{place}", but the node has no input "{name}"; {near(name, known)}'
        self._findings.add(message, file=sheet.doc.label, code="unknown_input", value=place)

    def _no_output(self, sheet: Sheet, place: str, known: list[str], node: str, input: str, exposed: str) -> None:
        id, output = split_place(place)
        message = f'{_subject(place, exposed)}, but "{id}" ({sheet.doc.nodes[id].type}) has no output "{output}"; '
        message += f"{output_list(known)}."
        self._findings.add(message, file=sheet.doc.label, node=node, input=input, code="unknown_output", value=place)


def _subject(place: str, exposed: str) -> str:
    return f'the output "{exposed}" shows "{place}"' if exposed else f'it is linked to "{place}"'

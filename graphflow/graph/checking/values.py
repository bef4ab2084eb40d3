"""Values and presence of a node's inputs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from graphflow.authoring.describe import InputSchema, problems
from graphflow.graph.checking.expand import FlatNode, Sheet, add_not_a_list, add_unequal_lists
from graphflow.graph.checking.fans import Elementwise
from graphflow.graph.checking.type_table import NodePorts
from graphflow.graph.checking.wiring import Links
from graphflow.graph.document import Document
from graphflow.graph.findings import FindingList, wanted_link

Missing = Callable[[InputSchema, str, Path], str | None]
Place = tuple[str, str, str]
"""File, node and input as findings name them."""


class InputCheck:
    """Checks nodes one by one: unknown and missing inputs, values of the wrong type, links where none may be."""

    def __init__(self, root: Document, missing: Missing | None, findings: FindingList) -> None:
        self._folder = root.folder
        self._missing = missing
        self._findings = findings

    def check(
        self, node: FlatNode, ports: NodePorts, values: Mapping[str, Any], links: Links, own: Elementwise
    ) -> Mapping[str, Any]:
        """Note what is wrong with the inputs of a node. Returns its values, file names made relative to the workflow's folder."""
        inputs = ports.inputs
        moved: dict[str, Any] = {}
        for name, value in values.items():
            port = inputs.get(name)
            if port is None:
                self._unknown(node, name, ports)
                continue
            if port.type.is_port:
                message = f"it takes {wanted_link(port.type)}, no value; remove the value."
                self._add(node, name, message, code="value_on_link_only", value=value, accepted=port.type.name)
            elif name in own.mapped or self._is_fanned(node, name):
                self._elements(node, port, value)
            else:
                wrong = problems(value, port.type, nullable=port.nullable)
                if wrong:
                    self._wrong(node, port, wrong, value)
            if name in links:
                self._add(node, name, "it has both a value and a link; keep one.", code="value_and_link", value=value)
            if port.file_kind is not None:
                moved[name] = self._file(node, port, value)
        for name, sources in links.items():
            port = inputs.get(name)
            if port is None:
                self._unknown(node, name, ports)
            elif len(sources) > 1 and port.type.kind != "list":
                message = f"it has {len(sources)} links, but takes one; keep one, or join them with a list node."
                self._add(node, name, message, code="several_links")
        for name in ports.required:
            if name not in values and name not in links:
                self._required(node, inputs[name])
        if own.mapped:
            lists = {name: values[name] for name in node.saved.map if isinstance(values.get(name), list)}
            known = {name: value for name, value in lists.items() if name in own.mapped}
            add_unequal_lists(node.sheet.doc.label, node.local, known, self._findings)
        return {**values, **moved} if any(moved[name] != values[name] for name in moved) else values

    def _is_fanned(self, node: FlatNode, name: str) -> bool:
        given = node.sheet.given.get(node.local)
        return bool(given and name in given and given[name].fans)

    def _elements(self, node: FlatNode, port: InputSchema, value: Any) -> None:
        element = port.type.item if port.many and port.type.item is not None else port.type
        if type(value) is not list:
            file, id, input = _place(node, port.name)
            add_not_a_list(file, id, input, value, self._findings)
            return
        for at, item in enumerate(value):
            wrong = problems(item, element, nullable=port.nullable and not port.many)
            self._wrong(node, port, [f"element {at}: {text}" for text in wrong], item)

    def _wrong(self, node: FlatNode, port: InputSchema, wrong: list[str], value: Any) -> None:
        for message in wrong:
            self._add(node, port.name, message, code="bad_value", value=value, accepted=port.type.accepted)

    def _required(self, node: FlatNode, port: InputSchema) -> None:
        file, id, input = _exposed_place(node, port.name)
        needed = wanted_link(port.type) if port.type.is_port else f"a value or a link; use {port.type.accepted}"
        self._findings.add(
            f"it needs {needed}.", file=file, node=id, input=input, code="missing_input", accepted=port.type.accepted
        )

    def _unknown(self, node: FlatNode, name: str, ports: NodePorts) -> None:
        hint = self._findings.near(name, ports.inputs)
        message = f'"{ports.schema.type}" has no input "{name}"; {hint}'
        # A place that a parameter names wrongly is told there.
        if name in node.saved.values or name in node.saved.links:
            self._findings.add(
                message, file=node.sheet.doc.label, node=node.local, input=name, code="unknown_input", value=name
            )

    def _file(self, node: FlatNode, port: InputSchema, value: Any) -> Any:
        """Note missing files; the names, relative to the workflow's folder when the file is beside a subgraph elsewhere."""
        names = value if isinstance(value, list) else [value]
        folder = _written_on(node, port.name).doc.folder
        found = [self._relative(port, name, folder) for name in names]
        for name in found if self._missing is not None else ():
            if isinstance(name, str) and name:
                reason = self._missing(port, name, self._folder) if self._missing else None
                if reason:
                    self._add(node, port.name, reason, code="missing_file", value=name)
        return found if isinstance(value, list) else found[0]

    def _relative(self, port: InputSchema, name: Any, folder: Path) -> Any:
        if port.file_kind != "InputFile" or not isinstance(name, str) or folder == self._folder or "\0" in name:
            return name
        file = folder / name
        return Path(os.path.relpath(file, self._folder)).as_posix() if name and file.exists() else name

    def _add(
        self, node: FlatNode, name: str, message: str, *, code: str, value: Any = None, accepted: str = ""
    ) -> None:
        file, id, input = _place(node, name)
        self._findings.add(message, file=file, node=id, input=input, code=code, value=value, accepted=accepted)


def _written_on(node: FlatNode, name: str) -> Sheet:
    given = node.sheet.given.get(node.local, {}).get(name)
    return node.sheet if given is None else given.sheet


def _place(node: FlatNode, name: str) -> Place:
    """Where a value or link was written: on the node, or on a subgraph node outside."""
    given = node.sheet.given.get(node.local, {}).get(name)
    if given is None:
        return node.sheet.doc.label, node.local, name
    return given.sheet.doc.label, given.node, given.input


def _exposed_place(node: FlatNode, name: str) -> Place:
    """Where a missing input can be given: on the outermost subgraph node that exposes it, else on the node itself."""
    sheet, id = node.sheet, node.local
    while sheet.parent is not None:
        place = f"{id}.{name}"
        param = next((param for param, places in sheet.doc.params.items() if place in places), None)
        if param is None:
            break
        sheet, id, name = sheet.parent, sheet.node, param
    return sheet.doc.label, id, name

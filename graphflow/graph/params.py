"""Setting values from outside: `--set prompt="a red circle"`, `--set sample.steps=30`, or a mapping from the API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from graphflow.authoring.describe import InputSchema, TypeSchema, problems
from graphflow.errors import WorkflowError
from graphflow.graph.document import Document, SavedNode
from graphflow.graph.findings import FindingList, name_list, quoted, wanted_link
from graphflow.graph.graph import NodeTypes
from graphflow.graph.links import split_place
from graphflow.graph.migrate import migrate_document
from graphflow.graph.subgraphs import FoundInput, Subgraphs, find_input

_NUMBERS = ("int", "float", "bool")


def set_params(doc: Document, assignments: Mapping[str, Any] | Sequence[str], types: NodeTypes) -> Document:
    """A migrated copy of a document with values set.

    Names are exposed parameters or `node.input` (`node.parameter` for a subgraph). A mapping brings JSON values. Texts `NAME=VALUE` are read
    by the type of the input: text as it is, everything else as JSON; a choice may be written without quotes; `@path` reads the value from a
    file, `@@` stands for `@`. For an input that the node is mapped over, the value is a list of values. A link that was there is removed.

    Raises WorkflowError with every finding: unknown names, unreadable files, values of the wrong type.
    """
    findings = FindingList()
    changed = migrate_document(doc, types)[0]
    changed = replace(changed, nodes=dict(changed.nodes))
    setting = _Setting(changed, types, findings)
    if isinstance(assignments, Mapping):
        for name, value in assignments.items():
            setting.value(name, value)
    else:
        for name, text in _split(assignments, doc.label, findings):
            setting.text(name, text)
    findings.raise_errors()
    return changed


def _split(assignments: Iterable[str], label: str, findings: FindingList) -> list[tuple[str, str]]:
    """Names and texts; `@path` is read here."""
    found = []
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        name = name.strip()
        if not equals or not name:
            message = f"{quoted(assignment)} sets nothing; write NAME=VALUE."
            findings.add(message, file=label, code="bad_assignment", value=assignment)
            continue
        try:
            text.encode()
            if text.startswith("@@"):
                text = text[1:]
            elif text.startswith("@"):
                text = Path(text[1:]).read_text(encoding="utf-8")
        except UnicodeError:
            message = "the text is not UTF-8; save or type it as UTF-8."
            findings.add(message, file=label, input=name, code="not_utf8")
            continue
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            message = f'the file "{text[1:]}" cannot be read: {reason}; for a text that begins with @ write @@.'
            findings.add(message, file=label, input=name, code="unreadable_file", value=text)
            continue
        found.append((name, text))
    return found


class _Setting:
    """Sets values on a document that is its own copy."""

    def __init__(self, doc: Document, types: NodeTypes, findings: FindingList) -> None:
        self._doc = doc
        self._types = types
        self._findings = findings
        self._subgraphs = Subgraphs(types)
        self._own: set[str] = set()

    def value(self, name: str, value: Any) -> None:
        """Set a name to a JSON value."""
        for place, found in self._places(name):
            if self._fits(name, value, found):
                self._put(place, value)

    def text(self, name: str, text: str) -> None:
        """Set a name to what a text means at each of its places."""
        for place, found in self._places(name):
            try:
                value = read_text(text, found.port, mapped=found.mapped)
            except ValueError as error:
                self._wrong(name, str(error), code="bad_value", value=text)
                continue
            if self._fits(name, value, found):
                self._put(place, value)

    def _places(self, name: str) -> list[tuple[str, FoundInput]]:
        """The inputs that a name stands for; none, with a finding, when it is unknown."""
        doc = self._doc
        places = doc.params.get(name) or ([name] if self._is_place(name) else [])
        if not places:
            self._unknown(name)
        found = []
        for place in places:
            try:
                input = find_input(doc, place, self._types, self._subgraphs)
            except WorkflowError as error:
                self._findings.extend(error.findings)
                continue
            if input is not None:
                found.append((place, input))
            elif name in doc.params:
                self._wrong(name, f'it sets "{place}", which is no input of a known node; see `graphflow check`.')
            else:
                self._unknown_input(name)
        return found

    def _is_place(self, name: str) -> bool:
        id, input = split_place(name)
        return bool(input) and id in self._doc.nodes

    def _unknown(self, name: str) -> None:
        doc = self._doc
        known = f"the parameters are {name_list(doc.params)}" if doc.params else "the workflow exposes no parameters"
        near = self._findings.near(name, [*doc.params, *doc.nodes]) if doc.params or doc.nodes else ""
        hint = f" {near[:1].upper()}{near[1:]}" if near.startswith("did") else ""
        self._wrong(name, f'there is no parameter "{name}"; {known}; node.input sets any input.{hint}')

    def _unknown_input(self, name: str) -> None:
        id, input = split_place(name)
        schema = self._types.schema(self._doc.nodes[id].type)
        if schema is None:
            self._wrong(name, f'the node "{id}" ({self._doc.nodes[id].type}) has no known input "{input}".')
        else:
            near = self._findings.near(input, [port.name for port in schema.inputs])
            self._wrong(name, f'the node "{id}" ({schema.type}) has no input "{input}"; {near}')

    def _fits(self, name: str, value: Any, found: FoundInput) -> bool:
        type, nullable = found.port.type, found.port.nullable
        if type.is_port:
            message = f"it takes {wanted_link(type)}, no value."
            self._wrong(name, message, code="value_on_link_only")
            return False
        if found.mapped:
            item = _element(found.port)
            type, nullable = TypeSchema("list", f"list[{item.name}]", item=item), False
        wrong = problems(value, type, nullable=nullable)
        for message in wrong:
            self._wrong(name, message, code="bad_value", value=value, accepted=type.accepted)
        return not wrong

    def _put(self, place: str, value: Any) -> None:
        id, input = split_place(place)
        node = self._doc.nodes[id]
        if id not in self._own:
            self._own.add(id)
            node = SavedNode(node.type, node.version, dict(node.values), dict(node.links), list(node.map))
            self._doc.nodes[id] = node
        node.links.pop(input, None)
        node.values[input] = value

    def _wrong(
        self, name: str, message: str, *, code: str = "unknown_param", value: Any = None, accepted: str = ""
    ) -> None:
        self._findings.add(message, file=self._doc.label, input=name, code=code, value=value, accepted=accepted)


def read_text(text: str, port: InputSchema, *, mapped: bool = False) -> Any:
    """The JSON value that a text means for an input. Raises ValueError with a sentence."""
    if mapped:
        return _json(text, f"a list of {_element(port).name} as JSON, as the node is mapped over this input")
    kind = port.type.kind
    if kind == "str":
        return text
    if kind == "choice" and text in port.type.choices:
        return text
    if kind == "any":
        try:
            return _json(text, "")
        except ValueError:
            return text
    if kind in _NUMBERS or kind == "choice":
        try:
            return _json(text, port.type.accepted)
        except ValueError:
            raise ValueError(f"{quoted(text)} is not accepted; use {port.type.accepted}.") from None
    return _json(text, f"{port.type.accepted}, as JSON")


def _element(port: InputSchema) -> TypeSchema:
    """What one element of the list for a mapped input is."""
    return port.type.item if port.many and port.type.item is not None else port.type


def _json(text: str, accepted: str) -> Any:
    def constant(name: str) -> None:
        raise ValueError(name)

    try:
        return json.loads(text, parse_constant=constant)
    except (ValueError, RecursionError):
        raise ValueError(f"{quoted(text)} is not JSON; use {accepted}.") from None

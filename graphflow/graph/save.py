"""Writing workflows: one canonical text for each, so that saving what was loaded changes nothing and differences read well."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from graphflow.authoring.describe import InputSchema, NodeSchema
from graphflow.errors import Finding, WorkflowError
from graphflow.graph.document import FORMAT, Document, SavedNode
from graphflow.graph.graph import NodeTypes
from graphflow.graph.links import each_link, is_subgraph, split_place
from graphflow.graph.order import topological_order

WIDTH = 120
"""Columns that a line may have before it is broken."""


def dump_document(doc: Document, types: NodeTypes | None = None) -> str:
    """The saved text of a document.

    Nodes come in topological order with ties by id, those on cycles last. With types, defaults are left out, and inputs come in the order of the
    node's ports. Loading the text and writing it again gives the same text. Raises ValueError for numbers that JSON lacks, such as NaN.
    """
    order = node_order(doc)
    packs = {pack: doc.packs[pack] for pack in sorted(doc.packs)}
    params = {name: places[0] if len(places) == 1 else places for name, places in doc.params.items()}
    view = {key: doc.view[key] for key in [*(id for id in order if id in doc.view), *_others(doc.view, doc.nodes)]}
    parts = [f'"graphflow": {FORMAT}']
    if doc.name:
        parts.append(f'"name": {_json(doc.name)}')
    parts += [
        _part(key, part) for key, part in (("packs", packs), ("params", params), ("outputs", doc.outputs)) if part
    ]
    if doc.nodes:
        shape = _NodeShape(types)
        lines = ",\n".join(_node_lines(id, shape.of(doc.nodes[id])) for id in order)
        parts.append(f'"nodes": {{\n{lines}\n  }}')
    if doc.workflows:
        parts.append(_part("workflows", {file: doc.workflows[file] for file in sorted(doc.workflows)}))
    if view:
        parts.append(_part("view", view))
    return "{\n  " + ",\n  ".join(parts) + "\n}\n"


def save_document(doc: Document, path: Path | str, types: NodeTypes | None = None) -> None:
    """Write a document as canonical text; the file is whole at every moment. Raises WorkflowError when it cannot be written."""
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        data = dump_document(doc, types).encode()
        target.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(target)
    except UnicodeEncodeError as error:
        message = f"a text holds half of a character, \\u{ord(error.object[error.start]):04x}; write the whole pair."
        raise WorkflowError([Finding(message, file=str(path), code="not_utf8")]) from None
    except ValueError as error:
        raise WorkflowError([Finding(f"a value cannot be saved: {error}.", file=str(path), code="bad_value")]) from None
    except OSError as error:
        message = f"the file cannot be written: {error.strerror or error}."
        raise WorkflowError([Finding(message, file=str(path), code="unwritable_file")]) from error
    finally:
        with suppress(OSError):  # it was renamed, or never made
            part.unlink()


def node_order(doc: Document) -> list[str]:
    """Node ids in topological order with ties by id; those on a cycle, and behind one, at the end by id."""
    ids = list(doc.nodes)
    position = {id: at for at, id in enumerate(ids)}
    sources = [
        [
            position[source]
            for link in node.links.values()
            for source in (split_place(place)[0] for place in each_link(link))
            if source in position
        ]
        for node in doc.nodes.values()
    ]
    order = [ids[at] for at in topological_order(ids, sources)]
    return order + sorted(position.keys() - set(order)) if len(order) < len(ids) else order


class _NodeShape:
    """What is written of a node."""

    def __init__(self, types: NodeTypes | None) -> None:
        self._types = types
        self._schemas: dict[str, NodeSchema | None] = {}

    def of(self, node: SavedNode) -> dict[str, Any]:
        schema = self._schema(node)
        full = node.type if node.version is None else f"{node.type}@{node.version}"
        shape: dict[str, Any] = {"type": full}
        values, mapped = node.values, list(node.map)
        links: Mapping[str, Any] = {name: link for name, link in node.links.items() if link}
        if schema is not None:
            ports = {port.name: port for port in schema.inputs}
            values = {
                name: values[name]
                for name in _in_order(values, ports)
                if name in mapped or name in links or not _is_default(values[name], ports.get(name))
            }
            links = {name: links[name] for name in _in_order(links, ports)}
            mapped = _in_order(mapped, ports)
        if values:
            shape["values"] = values
        if links:
            # One link is a text, as one place of a parameter is.
            shape["links"] = {
                name: link[0] if isinstance(link, list) and len(link) == 1 else link for name, link in links.items()
            }
        if mapped:
            shape["map"] = mapped
        return shape

    def _schema(self, node: SavedNode) -> NodeSchema | None:
        """The type as it was when the node was saved; None when that is not the installed one."""
        if self._types is None or is_subgraph(node.type):
            return None
        if node.type not in self._schemas:
            self._schemas[node.type] = self._types.schema(node.type)
        schema = self._schemas[node.type]
        return schema if schema is not None and schema.version == node.version else None


def _in_order(names: Iterable[str], ports: Mapping[str, InputSchema]) -> list[str]:
    """Names in the order of the ports, unknown ones behind them."""
    given = list(names)
    known = set(given) & ports.keys()
    return [name for name in ports if name in known] + [name for name in given if name not in known]


def _others(view: Mapping[str, Any], nodes: Mapping[str, SavedNode]) -> list[str]:
    return sorted(key for key in view if key not in nodes)


def _is_default(value: Any, port: InputSchema | None) -> bool:
    if port is None or port.required:
        return False
    if port.type.kind == "float" and type(value) in (int, float) and type(port.default) in (int, float):
        return bool(value == port.default)
    if type(value) is not type(port.default):
        return False
    if type(value) in (list, dict):  # 1, 1.0 and true inside are different texts
        return _json(value) == _json(port.default)
    return bool(value == port.default)


_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _part(key: str, part: Mapping[str, Any]) -> str:
    return _fitting(f'"{key}": ', _json(part), lambda: _broken(part, 4), indent=2)


def _node_lines(id: str, shape: dict[str, Any]) -> str:
    def parts() -> str:
        lines = [_entry(key, value) for key, value in shape.items()]
        return "{\n      " + ",\n      ".join(lines) + "\n    }"

    return "    " + _fitting(f"{_json(id)}: ", _json(shape), parts, indent=4)


def _entry(key: str, value: Any) -> str:
    if not isinstance(value, dict):
        return f"{_json(key)}: {_json(value)}"
    return _fitting(f"{_json(key)}: ", _json(value), lambda: _broken(value, 8), indent=6)


def _fitting(start: str, line: str, broken: Callable[[], str], *, indent: int) -> str:
    """One line when it fits with a comma behind it, else broken into several."""
    return start + (line if indent + len(start) + len(line) + 1 <= WIDTH else broken())


def _broken(part: Mapping[str, Any], indent: int) -> str:
    pad = " " * indent
    lines = ",\n".join(f"{pad}{_json(key)}: {_json(value)}" for key, value in part.items())
    return f"{{\n{lines}\n{pad[:-2]}}}"

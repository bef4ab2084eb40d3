"""Write docs/nodes.md from the descriptions of the built-in nodes: `python docs/make_nodes_page.py`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from graphflow.authoring.describe import InputSchema, NodeSchema
from graphflow.packs.discover import discover
from graphflow.packs.load import load_pack
from graphflow.settings import Settings

PAGE = Path(__file__).with_name("nodes.md")

_OPENING = """\
# Built-in nodes

Made by `python docs/make_nodes_page.py` from the nodes themselves; `graphflow nodes TYPE` shows the same in a terminal.

An input of a type in *italics* takes links only. All others have a value, and may be linked instead. A list takes several links.
"""


def builtin_nodes() -> tuple[NodeSchema, ...]:
    """The nodes of the pack that comes with graphflow."""
    source = next(source for source in discover(Settings(), "0.3.0") if source.name == "core")
    return load_pack(source).nodes


def nodes_page(nodes: Iterable[NodeSchema]) -> str:
    """The page as Markdown."""
    ordered = sorted(nodes, key=lambda node: (node.category, node.name))
    lines = [_OPENING]
    for category, group in groupby(ordered, key=lambda node: node.category):
        lines.append(f"## {category.capitalize()}\n")
        for node in group:
            lines += _node(node)
    return "\n".join(lines).rstrip() + "\n"


def _node(node: NodeSchema) -> Iterator[str]:
    yield f"### {node.type}\n"
    yield node.help + "\n"
    if node.inputs:
        yield "| input | type | default | |"
        yield "| --- | --- | --- | --- |"
        yield from (_input(port) for port in node.inputs)
        yield ""
    yield "| output | type | |"
    yield "| --- | --- | --- |"
    yield from (f"| `{port.name}` | {_cell(port.type.name)} | {_cell(port.help)} |" for port in node.outputs)
    yield ""


def _input(port: InputSchema) -> str:
    kind = f"*{port.type.name}*" if port.link_only or port.type.kind == "any" else port.type.accepted
    return f"| `{port.name}` | {_cell(kind)} | {_default(port)} | {_cell(port.help)} |"


def _default(port: InputSchema) -> str:
    if port.required:
        return "required"
    return "none" if port.default is None else f"`{_written(port.default)}`"


def _written(value: Any) -> str:  # any JSON value
    import json

    return json.dumps(value, ensure_ascii=False)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    PAGE.write_text(nodes_page(builtin_nodes()), "utf-8")

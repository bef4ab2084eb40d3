"""`graphflow nodes`: which node types there are, and all about one."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphflow.cli.options import AsJson

if TYPE_CHECKING:
    from graphflow.authoring.describe import InputSchema, NodeSchema
    from graphflow.packs.registry import Registry


def nodes(
    node_type: Annotated[
        str | None, typer.Argument(metavar="[TYPE]", help="A node type, such as core.ksampler.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List node types, or show one in full."""
    from graphflow.cli.house import open_app
    from graphflow.cli.output import json_line, line, table

    with open_app() as app:
        if node_type is not None:
            schema = _find(app.registry, node_type)
            if as_json:
                json_line(node_json(schema))
            else:
                line("\n".join(node_text(schema)))
            return
        known = sorted(app.registry.types(), key=lambda schema: (_place(schema), schema.type))
        broken = [pack for pack in app.registry.packs() if pack.error]
    if as_json:
        json_line([node_json(schema) for schema in known])
        return
    table(
        ("category", "type", "what it does"),
        [(_place(schema), schema.type, _first_line(schema.help)) for schema in known],
    )
    _tell_broken([pack.name for pack in broken])


def _place(schema: NodeSchema) -> str:
    """Menu category, or the pack for nodes that lie at its top."""
    return schema.category or schema.pack


def _find(registry: Registry, name: str) -> NodeSchema:
    """The description of a type. Raises PackError when there is none."""
    from graphflow.errors import PackError

    bare = name.partition("@")[0]
    schema = registry.schema(bare)
    if schema is not None:
        return schema
    near = registry.near(bare) or _alike(registry, bare)
    hint = f"Did you mean {' or '.join(near)}?" if near else "`graphflow nodes` lists those that are."
    reason = registry.pack_error(bare.partition(".")[0])
    why = f' The pack "{bare.partition(".")[0]}" has a problem: {reason.strip().splitlines()[-1]}' if reason else ""
    raise PackError(f'the node type "{name}" is not installed.{why} {hint}')


def _alike(registry: Registry, name: str) -> list[str]:
    """Types whose name without the pack looks like this one."""
    known = {schema.name: schema.type for schema in registry.types()}
    return [known[found] for found in get_close_matches(name, known, n=3)]


def node_json(schema: NodeSchema) -> dict[str, Any]:
    """A node type for machines, with its full name."""
    from graphflow.packs.schemas import to_json

    return {"type": schema.type, **to_json(schema)}


def node_text(schema: NodeSchema) -> list[str]:
    """All about a node type, as lines."""
    lines = [f"{schema.type}@{schema.version}: {schema.title}", *_indented(schema.help)]
    if schema.sink:
        lines.append("    Runs for its effect: a run does it by default.")
    for heading, texts in (
        ("inputs", [text for port in schema.inputs for text in _input_lines(port)]),
        (
            "outputs",
            [text for port in schema.outputs for text in (f"  {port.name}: {port.type.name}", *_indented(port.help))],
        ),
    ):
        lines += ["", f"{heading}:", *texts] if texts else ["", f"{heading}: none"]
    return lines


def _input_lines(port: InputSchema) -> list[str]:
    notes = []
    if port.type.limits:
        notes.append(port.type.limits)
    if port.link_only:
        notes.append("link only" + (", several" if port.many else ""))
    if port.lazy:
        notes.append("made only when the node asks for it")
    if port.required:
        notes.append("required")
    elif not port.link_only:
        notes.append(f"default {json.dumps(port.default, ensure_ascii=False)}")
    else:
        notes.append("optional")
    return [f"  {port.name}: {port.type.name} ({'; '.join(notes)})", *_indented(port.help)]


def _indented(text: str) -> list[str]:
    return [f"    {part}".rstrip() for part in text.splitlines()]


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _tell_broken(names: list[str]) -> None:
    from graphflow.cli.output import notice

    if names:
        notice(f"not everything of {', '.join(names)} could be loaded; `graphflow packs list` tells why")

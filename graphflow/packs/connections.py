"""Which port types connect, as a table, so that the editor need not repeat the rule."""

from __future__ import annotations

from collections.abc import Iterable

from graphflow.authoring.describe import NodeSchema, TypeSchema, connects


def type_id(schema: TypeSchema) -> str:
    """Name of a port type that no other type has: port types of two packs may share a class name."""
    if schema.kind == "port":
        return schema.bases[0]
    if schema.kind == "list" and schema.item is not None:
        return f"list[{type_id(schema.item)}]"
    return schema.name


def connection_table(nodes: Iterable[NodeSchema]) -> dict[str, list[str]]:
    """For each output type, by `type_id`, the input types that accept it, in alphabetical order."""
    sources: dict[str, TypeSchema] = {}
    targets: dict[str, TypeSchema] = {}
    for node in nodes:
        sources.update((type_id(port.type), port.type) for port in node.outputs)
        targets.update((type_id(port.type), port.type) for port in node.inputs)
    return {
        source: sorted(target for target, target_type in targets.items() if connects(source_type, target_type))
        for source, source_type in sorted(sources.items())
    }

"""Ports of the node types that a check meets, looked up once."""

from __future__ import annotations

from dataclasses import dataclass

from graphflow.authoring.describe import InputSchema, NodeSchema, OutputSchema
from graphflow.graph.findings import name_list, or_list
from graphflow.graph.graph import NodeTypes


@dataclass(frozen=True, slots=True)
class NodePorts:
    """A node type with its ports by name."""

    schema: NodeSchema
    inputs: dict[str, InputSchema]
    outputs: dict[str, OutputSchema]
    required: tuple[str, ...]


class TypeTable:
    """Node types by the names in saved files, and why one is not there."""

    def __init__(self, types: NodeTypes) -> None:
        self.types = types
        self._ports: dict[str, NodePorts | None] = {}
        self._reasons: dict[str, tuple[str, str]] = {}

    def ports(self, type_name: str) -> NodePorts | None:
        """Ports of `pack.node`; None for an unknown type."""
        try:
            return self._ports[type_name]
        except KeyError:
            schema = self.types.schema(type_name)
            found = self._ports[type_name] = _ports(schema) if schema is not None else None
            return found

    def why_unknown(self, type_name: str) -> tuple[str, str]:
        """Code and sentence for a type that is not there."""
        if type_name not in self._reasons:
            self._reasons[type_name] = self._reason(type_name)
        return self._reasons[type_name]

    def _reason(self, type_name: str) -> tuple[str, str]:
        pack = type_name.partition(".")[0]
        error = self.types.pack_error(pack)
        near = self.types.near(type_name)
        if error is not None:
            last = (error.strip().splitlines() or ["no reason given"])[-1].strip()
            told = f'the type "{type_name}" is missing because the pack "{pack}" could not be loaded: {last}'
            return "pack_failed", f"{told.rstrip('.')}; see `graphflow packs list`."
        meant = f" (did you mean {or_list(near)}?)" if near else ""
        if self.types.pack_version(pack) is None:
            told = f'the type "{type_name}" is not installed{meant}; install the pack "{pack}" or remove the node.'
            return "unknown_pack", told
        told = f'the pack "{pack}" has no type "{type_name}"{meant}; see `graphflow nodes`.'
        return "unknown_type", told


def _ports(schema: NodeSchema) -> NodePorts:
    return NodePorts(
        schema,
        {port.name: port for port in schema.inputs},
        {port.name: port for port in schema.outputs},
        tuple(port.name for port in schema.inputs if port.required),
    )


def output_list(names: list[str]) -> str:
    """What a node gives, for a message."""
    return f"it has {name_list(names)}" if names else "it has no outputs"

"""Which inputs are taken element by element.

A node that is mapped itself takes its own lists. In a mapped subgraph, a node takes elements where the outer node's lists come in, and wherever
a link brings what another such node made; nodes that do not depend on those lists run once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphflow.graph.checking.expand import Fan, FlatNode
from graphflow.graph.checking.type_table import NodePorts
from graphflow.graph.findings import FindingList
from graphflow.graph.graph import Source


@dataclass(frozen=True, slots=True)
class Elementwise:
    """How one node takes lists apart."""

    mapped: frozenset[str] = frozenset()
    zipped: frozenset[tuple[str, int]] = frozenset()
    fan: Fan | None = None
    """The mapped subgraph that this belongs to; None for the node's own map."""

    def takes_element(self, name: str, position: int) -> bool:
        """Whether a link brings a list of which each execution takes one element."""
        return name in self.mapped or (name, position) in self.zipped

    @property
    def is_mapped(self) -> bool:
        """Whether the node runs once per element."""
        return bool(self.mapped or self.zipped)


WHOLE = Elementwise()
"""A node that runs once."""


def own_map(node: FlatNode, ports: NodePorts, values: set[str], links: set[str], findings: FindingList) -> Elementwise:
    """The node's own `map`, as far as it is right."""
    label, mapped = node.sheet.doc.label, []
    for name in node.saved.map:
        port = ports.inputs.get(name)
        if port is None:
            message = f'the node is mapped over "{name}", which it does not have; {findings.near(name, ports.inputs)}'
            findings.add(message, file=label, node=node.local, input=name, code="unknown_input")
        elif port.lazy:
            message = "a lazy input cannot be mapped over; map over another input."
            findings.add(message, file=label, node=node.local, input=name, code="map_over_lazy")
        elif name not in values and name not in links:
            message = "the node is mapped over it, but it has neither a list nor a link; give one."
            findings.add(message, file=label, node=node.local, input=name, code="map_without_list")
        else:
            mapped.append(name)
    return Elementwise(frozenset(mapped))


def in_fan(
    node: FlatNode,
    ports: NodePorts,
    own: Elementwise,
    links: Mapping[str, tuple[Source, ...]],
    made: Sequence[Elementwise],
    findings: FindingList,
) -> Elementwise:
    """What mapped subgraphs around a node make of it; `made` holds the nodes before it."""
    mapped: set[str] = set()
    zipped: set[tuple[str, int]] = set()
    fans: dict[Fan, None] = {}
    for name, given in node.sheet.given.get(node.local, {}).items():
        if given.fans and name in ports.inputs:
            fans.update(dict.fromkeys(given.fans))
            mapped.add(name)
            if ports.inputs[name].lazy:
                message = f'a lazy input cannot be mapped over, as "{given.fans[0].id}" is; map over another input.'
                findings.add(message, file=node.sheet.doc.label, node=node.local, input=name, code="map_over_lazy")
    for name, sources in links.items():
        port = ports.inputs.get(name)
        for position, source in enumerate(sources):
            fan = made[source.node].fan
            if fan is None or fan not in node.sheet.fans or name in mapped or port is None:
                continue
            fans[fan] = None
            if port.many:
                zipped.add((name, position))
            else:
                mapped.add(name)
    if not fans:
        return own
    maps = [fan.id for fan in fans] + ([node.id] if own.is_mapped else [])
    if len(maps) > 1:
        message = (
            f"nested map is not supported: this node depends on the maps of {' and of '.join(sorted(maps))}; "
            "take one of them off, or save one half as its own workflow."
        )
        findings.add(message, file=node.sheet.doc.label, node=node.local, code="nested_map")
    return Elementwise(frozenset(mapped), frozenset(zipped), next(iter(fans)))

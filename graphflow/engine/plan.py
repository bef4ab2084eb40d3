"""What a run will do: decided from keys alone, before anything runs."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from graphflow.engine.recipe import Recipes
from graphflow.errors import Finding, WorkflowError
from graphflow.graph.graph import Graph

Action = Literal["run", "cached", "decide"]


@dataclass(frozen=True, slots=True)
class Planned:
    """What will happen to a node."""

    node: int
    action: Action
    """`decide`: runs or is found in the cache, once what it depends on is known."""


def default_targets(graph: Graph) -> list[int]:
    """What a run is for when nobody says: nodes that save, and nodes whose outputs are exposed; else the ends of the graph."""
    chosen = {index for index, node in enumerate(graph.nodes) if node.schema.sink}
    chosen.update(source.node for source in graph.outputs.values())
    if not chosen:
        used = {source.node for node in graph.nodes for links in node.links.values() for source in links}
        chosen = set(range(len(graph.nodes))) - used
    return sorted(chosen)


def find_targets(graph: Graph, names: Iterable[str]) -> list[int]:
    """Indices of the nodes named as targets, the default ones when none is named. Raises WorkflowError for unknown names."""
    wanted = list(names)
    if not wanted:
        return default_targets(graph)
    unknown = [name for name in wanted if name not in graph.index]
    if unknown:
        known = ", ".join(sorted(graph.index)[:20])
        raise WorkflowError(
            [
                Finding(
                    f'there is no node "{name}" to run; the nodes are {known}.', file=graph.file, code="unknown_target"
                )
                for name in unknown
            ]
        )
    return sorted({graph.index[name] for name in wanted})


def needed_nodes(
    recipes: Recipes, targets: Iterable[int], is_cached: Callable[[int], bool]
) -> tuple[list[int], list[int]]:
    """Nodes that must run to obtain the targets, and the cached ones that they start from, both in topological order.

    Walks back from the targets, stops at cached nodes, and does not enter lazy links, so a result whose inputs were dropped from the cache
    is not made again.
    """
    needed: list[int] = []
    cached: list[int] = []
    seen = set(targets)
    stack = list(seen)
    nodes, ports = recipes.graph.nodes, recipes.ports
    while stack:
        index = stack.pop()
        if is_cached(index):
            cached.append(index)
            continue
        needed.append(index)
        lazy = ports[index].lazy
        for name, sources in nodes[index].links.items():
            if name in lazy:
                continue
            for source in sources:
                if source.node not in seen:
                    seen.add(source.node)
                    stack.append(source.node)
    needed.sort()
    cached.sort()
    return needed, cached


def undecided(recipes: Recipes, needed: Iterable[int], is_known: Callable[[int], bool]) -> dict[int, set[int]]:
    """Needed nodes that wait for values, each with the nodes that must give them; only those behind no other undecided node."""
    found: dict[int, set[int]] = {}
    if not recipes.deciding:
        return found
    behind: set[int] = set()
    for index in needed:
        if any(source.node in behind for links in recipes.graph.nodes[index].links.values() for source in links):
            behind.add(index)
            continue
        unknown = {source for source in recipes.deciding.get(index, ()) if not is_known(source)}
        if unknown:
            found[index] = unknown
            behind.add(index)
    return found


def plan_run(recipes: Recipes, targets: Iterable[int], contains: Callable[[str], bool]) -> list[Planned]:
    """Every node that a run of these targets touches, in running order, with what will happen to it."""
    recipes.find_keys()

    def is_cached(index: int) -> bool:
        key = recipes.keys[index]
        return key is not None and contains(key)

    needed, cached = needed_nodes(recipes, targets, is_cached)
    planned = [Planned(index, "cached") for index in cached]
    open_nodes: set[int] = set()
    for index in needed:
        node = recipes.graph.nodes[index]
        waits = index in recipes.deciding
        follows = any(source.node in open_nodes for links in node.links.values() for source in links)
        if waits or (follows and recipes.keys[index] is None):
            open_nodes.add(index)
            planned.append(Planned(index, "decide"))
        else:
            planned.append(Planned(index, "run"))
    steps = {step.node: step for step in planned}
    return [steps[index] for index in running_order(recipes, needed, cached)]


def running_order(recipes: Recipes, needed: Iterable[int], cached: Iterable[int]) -> list[int]:
    """The nodes as the schedule takes them: each after those that it needs; of those that are ready, files and text encoders first.

    Cached nodes need nothing.
    """
    waits: dict[int, set[int]] = {index: set() for index in cached}
    followers: dict[int, list[int]] = {}
    for index in needed:
        links = recipes.graph.nodes[index].links.values()
        waits[index] = {source.node for sources in links for source in sources}
    for index, sources in waits.items():
        sources &= waits.keys()  # what only a lazy link leads to is not planned
        for source in sources:
            followers.setdefault(source, []).append(index)
    ready = [(recipes.ports[index].phase, index) for index, sources in waits.items() if not sources]
    heapq.heapify(ready)
    order = []
    while ready:
        index = heapq.heappop(ready)[1]
        order.append(index)
        for follower in followers.get(index, ()):
            waits[follower].discard(index)
            if not waits[follower]:
                heapq.heappush(ready, (recipes.ports[follower].phase, follower))
    return order

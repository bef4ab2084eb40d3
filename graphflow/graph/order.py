"""Topological order, and what is in the way of one."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

_SHOWN = 12
"""Most nodes of a cycle that a message names."""
_CYCLES = 10
"""Most cycles that are told at once."""


def topological_order(ids: Sequence[str], sources: Sequence[Sequence[int]]) -> list[int]:
    """Positions so that each comes after its sources; of those that may come next, the smallest id is taken.

    `sources[i]` are the positions that node i takes links from. Nodes on a cycle, and those behind one, are left out.
    """
    count = len(ids)
    by_rank = sorted(range(count), key=ids.__getitem__)
    rank = [0] * count
    for place, index in enumerate(by_rank):
        rank[index] = place
    waiting = [len(before) for before in sources]
    users: list[list[int]] = [[] for _ in range(count)]
    for index, before in enumerate(sources):
        for source in before:
            users[source].append(index)
    ready = [rank[index] for index in range(count) if not waiting[index]]
    heapify(ready)
    order = []
    while ready:
        index = by_rank[heappop(ready)]
        order.append(index)
        for user in users[index]:
            waiting[user] -= 1
            if not waiting[user]:
                heappush(ready, rank[user])
    return order


def cycles(ids: Sequence[str], sources: Sequence[Sequence[int]], among: Sequence[int]) -> list[list[int]]:
    """One cycle of each knot of nodes that lead back to themselves, in the direction of the links, beginning at its smallest id.

    At most ten. `among`: the positions that no topological order could take.
    """
    import networkx

    kept = set(among)
    graph = networkx.DiGraph((source, index) for index in among for source in sources[index] if source in kept)
    found = []
    for knot in networkx.strongly_connected_components(graph):
        part = graph.subgraph(knot)
        if part.number_of_edges():
            path = [edge[0] for edge in networkx.find_cycle(part, min(knot, key=ids.__getitem__))]
            start = path.index(min(path, key=ids.__getitem__))
            found.append(path[start:] + path[:start])
    found.sort(key=lambda path: ids[path[0]])
    return found[:_CYCLES]


def cycle_text(path: Sequence[str]) -> str:
    """`a -> b -> a`, shortened in the middle when it is long."""
    names = [*path, path[0]]
    if len(names) > _SHOWN:
        half = _SHOWN // 2
        names = [*names[:half], f"({len(names) - _SHOWN} more)", *names[-half:]]
    return " -> ".join(names)

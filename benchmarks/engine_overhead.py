"""What the engine costs per node: keys, cache and events, with nodes that do nothing but add.

    python benchmarks/engine_overhead.py [--largest 30000] [--repeats 3]

Prints CPU microseconds per node for chains, fans, trees and random graphs, with the targets beside them. CPU time, not wall time, so that other
work on the machine disturbs it less; the best of some repeats.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphflow import Node, NodeContext, node
from graphflow.app import App
from graphflow.graph import check, parse_document
from graphflow.graph.graph import Graph
from graphflow.packs.registry import Registry
from graphflow.settings import Settings

PER_NODE_US = 20.0
GROWTH = 1.5
RERUN_MS = 5.0
LOAD_MS = 15.0


@node("add")
class Add(Node):
    """Add two numbers."""

    a: int = 0
    b: int = 0
    c: int = 0

    def run(self, ctx: NodeContext) -> int:
        """The sum."""
        return self.a + self.b + self.c


@node("total")
class Total(Node):
    """Sum of any number of numbers."""

    numbers: list[int] = []
    plus: int = 0

    def run(self, ctx: NodeContext) -> int:
        """The sum."""
        return sum(self.numbers) + self.plus


def chain(size: int) -> dict[str, Any]:
    """Each node feeds the next."""
    return {
        f"n{at}": {"type": "b.add@1", "values": {"c": at}, **({"links": {"a": f"n{at - 1}.int"}} if at else {})}
        for at in range(size)
    }


def fan(size: int) -> dict[str, Any]:
    """One source, many nodes on it, one sum over all."""
    nodes: dict[str, Any] = {"source": {"type": "b.add@1", "values": {"c": size}}}
    middle = [f"n{at}" for at in range(size - 2)]
    for at, name in enumerate(middle):
        nodes[name] = {"type": "b.add@1", "values": {"c": at}, "links": {"a": "source.int"}}
    nodes["end"] = {"type": "b.total@1", "links": {"numbers": [f"{name}.int" for name in middle]}}
    return nodes


def tree(size: int) -> dict[str, Any]:
    """Binary reduction."""
    nodes: dict[str, Any] = {}
    for at in range(size):
        links = {name: f"n{child}.int" for name, child in (("a", 2 * at + 1), ("b", 2 * at + 2)) if child < size}
        values = {"c": at}
        nodes[f"n{at}"] = {"type": "b.add@1", "values": values, "links": links}
    return nodes


def scattered(size: int) -> dict[str, Any]:
    """Random links to earlier nodes, one and a half per node, and a sum over the loose ends."""
    rng = random.Random(size)
    nodes: dict[str, Any] = {}
    loose = set()
    for at in range(size - 1):
        links = {}
        if at:
            links["a"] = f"n{rng.randrange(at)}.int"
            if rng.random() < 0.5:
                links["b"] = f"n{rng.randrange(at)}.int"
        loose.difference_update(link.partition(".")[0] for link in links.values())
        loose.add(f"n{at}")
        nodes[f"n{at}"] = {"type": "b.add@1", "values": {"c": at}, "links": links}
    nodes["end"] = {"type": "b.total@1", "links": {"numbers": [f"{name}.int" for name in sorted(loose)]}}
    return nodes


SHAPES: dict[str, Callable[[int], dict[str, Any]]] = {"chain": chain, "fan": fan, "tree": tree, "random": scattered}


def saved(nodes: dict[str, Any]) -> bytes:
    """The workflow file."""
    return json.dumps({"graphflow": 1, "packs": {}, "nodes": nodes}).encode()


def cpu(work: Callable[[], object], repeats: int) -> float:
    """Fewest CPU seconds of some repeats."""
    best = float("inf")
    for _ in range(repeats):
        gc.collect()
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


class Bench:
    """An app with two trivial node types and a cache of its own for each run."""

    def __init__(self, folder: Path) -> None:
        self.registry = Registry()
        self.registry.add_nodes("b", Add, Total)
        self._folder = folder
        self._made = 0

    def app(self) -> App:
        """A fresh app with empty caches."""
        self._made += 1
        app = App(Settings(home=self._folder / str(self._made), cache_ram=2_000_000_000))
        app.__dict__["registry"] = self.registry
        return app

    def graph(self, data: bytes) -> Graph:
        """Load and check."""
        result = check(parse_document(data, label="bench.json"), self.registry)
        assert result.graph is not None, result.findings[:3]
        return result.graph

    def first_and_again(self, data: bytes, size: int, repeats: int) -> tuple[float, float]:
        """CPU seconds of a first run and of an unchanged one after it."""
        first = again = float("inf")
        for _ in range(repeats):
            graph, app = self.graph(data), self.app()
            app.services()  # made once a process, not once a run
            graph.file = ""  # the record for `cache --explain` is the command line's, not the engine's
            once, more = self._measured(app, graph, size)
            first, again = min(first, once), min(again, more)
            app.close()
        return first, again

    def _measured(self, app: App, graph: Graph, size: int) -> tuple[float, float]:
        events: list[Any] = []
        gc.collect()
        started = time.process_time()
        report = app.run(graph, emit=events.append)
        first = time.process_time() - started
        assert report.executed == size, report.message
        return first, cpu(lambda: app.run(graph, emit=events.append), 3)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=30_000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    sizes = [size for size in (10, 100, 1_000, 10_000, 30_000) if size <= arguments.largest]
    with tempfile.TemporaryDirectory() as folder:
        measure(Bench(Path(folder)), sizes, arguments.repeats)


def measure(bench: Bench, sizes: list[int], repeats: int) -> None:
    """Print the table, shape by shape."""
    print(f"{'shape':8} {'nodes':>6} {'load+check ms':>14} {'first run us/node':>18} {'unchanged re-run ms':>20}")
    per_node: dict[tuple[str, int], float] = {}
    loads: dict[tuple[str, int], float] = {}
    reruns: dict[tuple[str, int], float] = {}
    for shape, make in SHAPES.items():
        for size in sizes:
            data = saved(make(size))
            load = cpu(lambda data=data: bench.graph(data), repeats) * 1e3
            first, again = bench.first_and_again(data, size, repeats)
            per_node[shape, size], loads[shape, size], reruns[shape, size] = first / size * 1e6, load, again * 1e3
            print(f"{shape:8} {size:6} {load:14.2f} {per_node[shape, size]:18.1f} {again * 1e3:20.2f}")
    print()
    print(f"{'target':52} {'limit':>8} {'measured (worst shape)':>24}")
    worst = max(value for (_, size), value in per_node.items() if size >= 1_000)
    print(f"{'first run, microseconds a node, 1,000 nodes and more':52} {PER_NODE_US:8} {worst:24.1f}")
    if 10_000 in sizes:
        growth = max(per_node[shape, 10_000] / per_node[shape, 1_000] for shape in SHAPES)
        print(f"{'per-node cost of 10,000 nodes over that of 1,000':52} {GROWTH:8} {growth:24.2f}")
    if 1_000 in sizes:
        print(f"{'unchanged re-run of 1,000 nodes, ms':52} {RERUN_MS:8} {max(reruns[s, 1_000] for s in SHAPES):24.2f}")
        print(
            f"{'load and check of a 1,000-node file, ms':52} {LOAD_MS:8} {max(loads[s, 1_000] for s in SHAPES):24.2f}"
        )


if __name__ == "__main__":
    main()

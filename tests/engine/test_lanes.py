"""Lanes: io nodes overlap, device nodes do not."""

from __future__ import annotations

from typing import Any

import pytest

from graphflow.engine.events import NodeFinished, NodeStarted
from graphflow.engine.schedule import IO_THREADS


def _interval(run: Any, node: str) -> tuple[float, float]:
    started = next(event.time for event in run.events if isinstance(event, NodeStarted) and event.node == node)
    finished = next(event.time for event in run.events if isinstance(event, NodeFinished) and event.node == node)
    return started, finished


def _overlap(run: Any, one: str, other: str) -> bool:
    (start, end), (other_start, other_end) = _interval(run, one), _interval(run, other)
    return start < other_end and other_start < end


@pytest.mark.parametrize("kind", ["sleep", "asleep"])
def test_independent_io_nodes_overlap(engine: Any, kind: str) -> None:
    graph = engine.graph(
        {"a": (kind, {"seconds": 0.5, "name": "a"}), "b": (kind, {"seconds": 0.5, "name": "b"})},
        outputs={"a": "a.str", "b": "b.str"},
    )
    run = engine.run(graph)
    assert run.report.outputs == {"a": "a", "b": "b"}
    assert _overlap(run, "a", "b")


def test_an_io_node_overlaps_device_work(engine: Any) -> None:
    graph = engine.graph(
        {"a_device": ("steps", {"n": 6, "seconds": 0.05}), "io": ("sleep", {"seconds": 0.3, "name": "a"})},
        outputs={"a": "io.str", "b": "a_device.int"},
    )
    run = engine.run(graph)
    assert run.report.outputs == {"a": "a", "b": 6}
    assert _overlap(run, "io", "a_device")


def test_device_nodes_never_overlap(engine: Any) -> None:
    graph = engine.graph(
        {name: ("steps", {"n": n, "seconds": 0.01}) for name, n in (("a", 5), ("b", 6), ("c", 7))},
        outputs={"a": "a.int", "b": "b.int", "c": "c.int"},
    )
    run = engine.run(graph)
    assert not any(_overlap(run, *pair) for pair in (("a", "b"), ("b", "c"), ("a", "c")))


def test_elements_are_loaded_a_few_ahead_of_their_use(engine: Any) -> None:
    """A folder of a thousand photographs must not lie in memory before the first one is worked on."""
    count = 6 * IO_THREADS
    graph = engine.graph(
        {
            "names": ("texts", {"text": " ".join(f"n{at}" for at in range(count))}),
            "load": ("sleep", {"seconds": 0.001}, {"name": "names.strs"}, ["name"]),
            "use": ("shout", {}, {"text": "load.str"}, ["text"]),
        },
        outputs={"x": "use.str"},
    )
    run = engine.run(graph)
    assert run.report.outputs == {"x": [f"N{at}" for at in range(count)]}
    held = most = 0
    for event in run.events:
        held += isinstance(event, NodeStarted) and event.node == "load"
        held -= isinstance(event, NodeFinished) and event.node == "use"
        most = max(most, held)
    assert IO_THREADS <= most <= 2 * IO_THREADS

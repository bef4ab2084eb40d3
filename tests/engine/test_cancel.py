"""Cancelling: a clean stop within one step."""

from __future__ import annotations

import threading
import time
from typing import Any

from graphflow.engine.control import RunControl
from graphflow.engine.events import NodeProgress


def _cancel_when_running(engine: Any, graph: Any, after: float = 0.3) -> tuple[Any, float]:
    control = RunControl()
    stopped: list[float] = []

    def stop() -> None:
        stopped.append(time.monotonic())
        control.cancel()

    timer = threading.Timer(after, stop)
    timer.start()
    run = engine.run(graph, control=control)
    timer.join()
    return run, time.monotonic() - stopped[0]


def test_a_long_node_stops_within_a_step(engine: Any) -> None:
    graph = engine.graph(
        {"s": ("steps", {"n": 1000, "seconds": 0.02}), "a": ("add", {}, {"a": "s.int"})}, outputs={"x": "a.int"}
    )
    run, seconds = _cancel_when_running(engine, graph)
    assert run.report.status == "cancelled"
    assert seconds < 0.5
    assert run.ran == []


def test_an_io_node_is_waited_for_and_nothing_follows(engine: Any) -> None:
    graph = engine.graph(
        {"s": ("sleep", {"seconds": 0.6, "name": "x"}), "t": ("shout", {}, {"text": "s.str"})}, outputs={"x": "t.str"}
    )
    run, _ = _cancel_when_running(engine, graph)
    assert run.report.status == "cancelled"
    assert "t" not in run.ran


def test_the_engine_runs_the_next_graph_after_a_cancel(engine: Any) -> None:
    graph = engine.graph({"s": ("steps", {"n": 1000})}, outputs={"x": "s.int"})
    _cancel_when_running(engine, graph, after=0.1)
    assert engine.run(engine.graph({"a": ("add", {"a": 1})}, outputs={"x": "a.int"})).report.outputs == {"x": 1}


def test_progress_is_told_at_a_bounded_rate_and_at_the_end(engine: Any) -> None:
    graph = engine.graph({"s": ("steps", {"n": 300, "seconds": 0.001})}, outputs={"x": "s.int"})
    run = engine.run(graph)
    told = [event for event in run.events if isinstance(event, NodeProgress)]
    assert told[-1].value == told[-1].total == 300
    assert len(told) < 100

"""Scale: depth and size cost time in proportion, and nothing recurses."""

from __future__ import annotations

from typing import Any

from graphflow.engine.events import event_json


def _chain(length: int) -> dict[str, Any]:
    nodes: dict[str, Any] = {"n0": ("add", {"a": 1})}
    for at in range(1, length):
        nodes[f"n{at}"] = ("add", {"b": 1}, {"a": f"n{at - 1}.int"})
    return nodes


def test_a_chain_ten_thousand_deep_checks_and_runs(engine: Any) -> None:
    run = engine.run(engine.graph(_chain(10_000), outputs={"x": "n9999.int"}))
    assert run.report.outputs == {"x": 10_000}


def test_events_are_of_constant_size(engine: Any) -> None:
    def bytes_per_event(length: int) -> float:
        run = engine.run(engine.graph(_chain(length), outputs={"x": f"n{length - 1}.int"}))
        return sum(len(str(event_json(event))) for event in run.events) / len(run.events)

    assert bytes_per_event(2000) < 1.1 * bytes_per_event(20)


def test_a_node_is_told_twice_at_most(engine: Any) -> None:
    run = engine.run(engine.graph(_chain(500), outputs={"x": "n499.int"}))
    assert len(run.events) == 2 + 2 * 500

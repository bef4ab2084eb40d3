"""Failures: a branch ends, the rest finishes, and the engine lives on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from graphflow.engine import events
from graphflow.engine.executors import RunRequest
from graphflow.engine.executors.local import run_graph


def test_independent_branches_finish(engine: Any) -> None:
    graph = engine.graph(
        {
            "bad": ("fail",),
            "behind": ("add", {"b": 1}, {"a": "bad.int"}),
            "further": ("add", {"b": 1}, {"a": "behind.int"}),
            "good": ("add", {"a": 1}),
        },
        outputs={"x": "further.int", "y": "good.int"},
    )
    run = engine.run(graph)
    assert run.report.status == "failed"
    assert run.report.outputs == {"y": 1}
    assert [(item.node, item.message) for item in run.report.failures] == [("bad", "ValueError: as asked")]
    assert "ValueError" in run.report.failures[0].traceback
    skipped = [event.node for event in run.events if isinstance(event, events.NodeSkipped)]
    assert skipped == ["behind", "further"]


@pytest.mark.parametrize("kind", ["value", "exit", "memory", "recursion", "stop"])
def test_any_exception_of_a_node_ends_only_its_branch(engine: Any, kind: str) -> None:
    graph = engine.graph(
        {"bad": ("fail", {"kind": kind}), "good": ("add", {"a": 1})}, outputs={"x": "bad.int", "y": "good.int"}
    )
    run = engine.run(graph)
    assert (run.report.status, run.report.outputs) == ("failed", {"y": 1})
    assert engine.run(engine.graph({"a": ("add", {"a": 3})}, outputs={"x": "a.int"})).report.outputs == {"x": 3}


def test_a_retry_continues_where_it_failed(engine: Any, ran: list[str]) -> None:
    nodes = {"a": ("add", {"a": 1}), "f": ("fail", {}, {"a": "a.int"}), "c": ("add", {"b": 2}, {"a": "f.int"})}
    engine.run(engine.graph(nodes, outputs={"x": "c.int"}))
    nodes["f"] = ("add", {"b": 5}, {"a": "a.int"})
    run = engine.run(engine.graph(nodes, outputs={"x": "c.int"}))
    assert run.report.outputs == {"x": 8}
    assert run.ran == ["f", "c"]


class _BrokenCache:
    """A cache whose every call raises."""

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            raise RuntimeError(f"{name} is broken")

        return call


def test_an_exception_inside_the_engine_ends_the_run_with_a_report(engine: Any) -> None:
    graph = engine.graph({"a": ("add", {"a": 1})}, outputs={"x": "a.int"})
    broken = replace(engine.app.services(), cache=_BrokenCache())
    told: list[Any] = []
    report = run_graph(RunRequest(graph, run="r", emit=told.append), lambda request: broken)
    assert report.status == "failed"
    assert "is broken" in report.message
    assert isinstance(told[-1], events.RunFinished)
    assert engine.run(graph).report.outputs == {"x": 1}


def test_a_listener_that_raises_ends_its_run_and_no_other(engine: Any) -> None:
    graph = engine.graph({"a": ("add", {"a": 1})}, outputs={"x": "a.int"})

    def listen(event: events.Event) -> None:
        raise OSError("gone")

    assert engine.app.run(graph, emit=listen).status == "failed"
    assert engine.run(graph).report.outputs == {"x": 1}


def test_an_unknown_target_is_named(engine: Any) -> None:
    run = engine.run(engine.graph({"a": ("add", {"a": 1})}), "nobody")
    assert run.report.status == "failed"
    assert 'no node "nobody"' in run.report.message


def test_a_failed_list_skips_what_is_mapped_over_it(engine: Any) -> None:
    graph = engine.graph(
        {
            "bad": ("fail",),
            "n": ("count", {}, {"n": "bad.int"}),
            "m": ("add", {}, {"a": "n.ints"}, ["a"]),
            "s": ("total", {}, {"numbers": ["m.int"]}),
        },
        outputs={"x": "s.int"},
    )
    run = engine.run(graph)
    assert [failure.node for failure in run.report.failures] == ["bad"]
    assert {event.node for event in run.events if isinstance(event, events.NodeSkipped)} >= {"m", "s"}


def test_a_node_that_changes_a_tensor_is_named_in_dev_mode(dev_engine: Any) -> None:
    nodes = {"t": ("tensor",), "s": ("spoil_tensor", {}, {"tensor": "t.value"})}
    run = dev_engine.run(dev_engine.graph(nodes, outputs={"x": "s.int"}))
    assert "changed its input tensor in place" in run.report.failures[0].message

"""The behaviour table: what users of such engines meet, what the best known peer does, and what graphflow does.

The peer is ComfyUI v0.33 (August 2026), measured on the same kind of machine. `docs/design/behaviour.md` shows the table to readers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from graphflow.engine.control import RunControl
from graphflow.engine.events import NodeFinished, NodeStarted, event_json
from graphflow.engine.executors import RunRequest
from graphflow.engine.executors.local import run_graph
from graphflow.errors import WorkflowError


@dataclass(frozen=True)
class Row:
    """One behaviour."""

    behaviour: str
    peer: str
    shows: Callable[[Any], None]
    """Raises AssertionError when graphflow behaves otherwise. Gets the engine of `conftest.py`."""


def _chain(length: int) -> dict[str, Any]:
    nodes: dict[str, Any] = {"n0": ("add", {"a": 1})}
    for at in range(1, length):
        nodes[f"n{at}"] = ("add", {"b": 1}, {"a": f"n{at - 1}.int"})
    return nodes


def _deep_chain(engine: Any) -> None:
    run = engine.run(engine.graph(_chain(10_000), outputs={"x": "n9999.int"}))
    assert run.report.outputs == {"x": 10_000}


def _identical_nodes(engine: Any) -> None:
    nodes = {"a": ("count", {"n": 4}), "b": ("count", {"n": 4}), "s": ("total", {}, {"numbers": ["a.ints", "b.ints"]})}
    run = engine.run(engine.graph(nodes, outputs={"x": "s.int"}))
    assert run.report.outputs == {"x": 12}
    assert run.report.executed == 2


def _back_and_forth(engine: Any) -> None:
    first = engine.graph(_chain(8), outputs={"x": "n7.int"})
    other = engine.graph({name: ("add", {"a": 5, "b": at}) for at, name in enumerate("abcdefgh")})
    executed = [engine.run(graph).report.executed for graph in (first, first, other, first)]
    assert executed == [8, 0, 8, 0]


def _overwritten_checkpoint(engine: Any) -> None:
    file = engine.folder / "models" / "checkpoints" / "model.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"old weights")
    graph = engine.graph({"w": ("weigh", {"file": "model.safetensors"}), "s": ("shout", {}, {"text": "w.str"})})
    engine.run(graph)
    assert engine.run(graph).report.executed == 0
    file.write_bytes(b"new weights")
    assert engine.run(graph).ran == ["w", "s"]


def _independent_io(engine: Any) -> None:
    nodes = {name: ("sleep", {"seconds": 0.5, "name": name}) for name in ("a", "b")}
    run = engine.run(engine.graph(nodes, outputs={"a": "a.str", "b": "b.str"}))
    last_start = max(event.time for event in run.events if isinstance(event, NodeStarted))
    first_end = min(event.time for event in run.events if isinstance(event, NodeFinished))
    assert last_start < first_end


class _Broken:
    def __getattr__(self, name: str) -> Any:
        raise RecursionError(f"{name}: maximum recursion depth exceeded")


def _defect_in_the_engine(engine: Any) -> None:
    graph = engine.graph({"a": ("add", {"a": 1})}, outputs={"x": "a.int"})
    services = replace(engine.app.services(), cache=_Broken())
    report = run_graph(RunRequest(graph, run="r"), lambda request: services)
    assert report.status == "failed"
    assert "RecursionError" in report.message
    assert engine.run(graph).report.outputs == {"x": 1}


def _constant_events(engine: Any) -> None:
    def most_bytes(length: int) -> int:
        graph = engine.graph(_chain(length), outputs={"x": f"n{length - 1}.int"})
        run = engine.run(graph, use_cache=False)
        assert len(run.events) == 2 * length + 2
        return max(len(str(event_json(event))) for event in run.events)

    assert most_bytes(3000) < most_bytes(30) + 20


def _private_outputs(engine: Any) -> None:
    results = []
    for by in (1, 2):
        nodes = {"f": ("fill", {"n": 3}), "s": ("spoil", {"by": by}, {"box": "f.box"})}
        results.append(engine.run(engine.graph(nodes, outputs={"x": "s.int"})).report.outputs["x"])
    assert results == [4, 4]


def _restart(engine: Any) -> None:
    nodes = {"s": ("steps_kept", {"n": 5}), "a": ("add", {}, {"a": "s.int"})}
    graph = engine.graph(nodes, outputs={"x": "a.int"})
    engine.run(graph)
    after = type(engine)(engine.folder)
    run = after.run(after.graph(nodes, outputs={"x": "a.int"}))
    after.app.close()
    assert "s" not in run.ran


def _half_wrong(engine: Any) -> None:
    nodes = {"good": ("add", {"a": 1}), "bad": ("add", {"a": "one"})}
    with pytest.raises(WorkflowError, match='node "bad", input "a"'):
        engine.graph(nodes, outputs={"x": "good.int", "y": "bad.int"})


def _text_is_no_flag(engine: Any) -> None:
    with pytest.raises(WorkflowError, match='"false" is text; use true or false'):
        engine.graph({"c": ("choose", {"condition": "false"})})


def _cancel_one(engine: Any) -> None:
    control = RunControl()
    threading.Timer(0.2, control.cancel).start()
    slow = engine.graph({"s": ("steps", {"n": 1000, "seconds": 0.01})}, outputs={"x": "s.int"})
    assert engine.run(slow, control=control).report.status == "cancelled"
    assert engine.run(engine.graph({"a": ("add", {"a": 1})}, outputs={"x": "a.int"})).report.outputs == {"x": 1}


TABLE = [
    Row("a chain 10,000 deep checks and runs", "refuses chains of about 1,000: RecursionError", _deep_chain),
    Row("identical nodes run once", "once, unless its cache is off", _identical_nodes),
    Row("A, A, B, A: the last A runs nothing", "runs all of A again", _back_and_forth),
    Row("a checkpoint overwritten under its name is noticed", "serves the old weights", _overwritten_checkpoint),
    Row("two independent io nodes overlap", "one after the other, unless written as coroutines", _independent_io),
    Row("a defect inside the engine ends that run only", "its only worker dies, the server looks well", _defect_in_the_engine),
    Row("an event costs the same at any size of graph", "200 MB of messages for 1,000 nodes", _constant_events),
    Row("two runs never share mutable outputs", "values may change after they were handed on", _private_outputs),
    Row("results outlive the process", "the cache is gone after a restart", _restart),
    Row("a workflow that is wrong in one place does not start", "runs the other half, with HTTP 200", _half_wrong),
    Row("the text false is no flag", 'casts "false" to true', _text_is_no_flag),
    Row("a cancelled run leaves the engine ready", "the same", _cancel_one),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.behaviour)
def test_behaviour(row: Row, engine: Any) -> None:
    row.shows(engine)


def test_the_page_for_readers_shows_the_same_table() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "design" / "behaviour.md").read_text()
    missing = [row.behaviour for row in TABLE if f"| {row.behaviour} | {row.peer} |" not in page]
    assert not missing

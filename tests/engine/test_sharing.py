"""Sharing: two runs in one process never share mutable outputs."""

from __future__ import annotations

from typing import Any


def test_a_spoilt_result_does_not_reach_the_next_run(engine: Any) -> None:
    def graph(by: int) -> Any:
        return engine.graph(
            {"f": ("fill", {"n": 3}), "s": ("spoil", {"by": by}, {"box": "f.box"})}, outputs={"x": "s.int"}
        )

    assert engine.run(graph(1)).report.outputs == {"x": 4}
    second = engine.run(graph(2))
    assert second.cached == ["f"]
    assert second.report.outputs == {"x": 4}


def test_a_report_is_the_callers_own(engine: Any) -> None:
    graph = engine.graph({"n": ("count", {"n": 3})}, outputs={"x": "n.ints"})
    engine.run(graph).report.outputs["x"].append(99)
    assert engine.run(graph).report.outputs == {"x": [0, 1, 2]}

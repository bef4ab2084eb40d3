"""Lazy inputs: a branch runs only when it is asked for."""

from __future__ import annotations

from typing import Any


def _switch(condition: bool, kind: str = "choose") -> dict[str, Any]:
    return {
        "yes": ("add", {"a": 1}),
        "no": ("add", {"a": 2}),
        "pick": (kind, {"condition": condition}, {"on_true": "yes.int", "on_false": "no.int"}),
    }


def test_an_untaken_branch_never_runs(engine: Any) -> None:
    run = engine.run(engine.graph(_switch(True), outputs={"x": "pick.value"}))
    assert run.report.outputs == {"x": 1}
    assert sorted(run.ran) == ["pick", "yes"]


def test_a_failing_branch_that_is_not_taken_harms_nothing(engine: Any) -> None:
    nodes = _switch(False)
    nodes["yes"] = ("fail",)
    run = engine.run(engine.graph(nodes, outputs={"x": "pick.value"}))
    assert (run.report.status, run.report.outputs) == ("succeeded", {"x": 2})


def test_a_failing_branch_that_is_taken_fails_once(engine: Any) -> None:
    nodes = _switch(True)
    nodes["yes"] = ("fail",)
    run = engine.run(engine.graph(nodes, outputs={"x": "pick.value"}))
    assert run.report.status == "failed"
    assert [failure.node for failure in run.report.failures] == ["yes"]


def test_a_switch_is_cached_like_any_node(engine: Any) -> None:
    graph = engine.graph(_switch(True), outputs={"x": "pick.value"})
    engine.run(graph)
    assert engine.run(graph).report.executed == 0


def test_switches_nest(engine: Any) -> None:
    nodes: dict[str, Any] = {"deep": ("add", {"a": 5})}
    before = "deep.int"
    for level in range(20):
        nodes[f"s{level}"] = ("choose", {"condition": True}, {"on_true": before})
        before = f"s{level}.value"
    run = engine.run(engine.graph(nodes, outputs={"x": before}))
    assert run.report.outputs == {"x": 5}


def test_a_lazy_branch_shares_nodes_with_the_rest(engine: Any, ran: list[str]) -> None:
    graph = engine.graph(
        {
            "shared": ("add", {"a": 1}),
            "branch": ("add", {"b": 1}, {"a": "shared.int"}),
            "other": ("add", {"b": 2}, {"a": "shared.int"}),
            "pick": ("choose", {"condition": True}, {"on_true": "branch.int"}),
        },
        outputs={"x": "pick.value", "y": "other.int"},
    )
    assert engine.run(graph).report.outputs == {"x": 2, "y": 3}
    assert ran.count("add") == 3


def test_an_io_node_may_ask_for_a_branch(engine: Any) -> None:
    graph = engine.graph(
        {
            "branch": ("add", {"a": 41, "b": 1}),
            "pick": ("choose_io", {"condition": True}, {"on_true": "branch.int"}),
        },
        outputs={"x": "pick.value"},
    )
    assert engine.run(graph).report.outputs == {"x": 42}


def test_a_lazy_branch_may_be_mapped(engine: Any) -> None:
    graph = engine.graph(
        {
            "n": ("count", {"n": 3}),
            "m": ("add", {"b": 1}, {"a": "n.ints"}, ["a"]),
            "pick": ("choose", {"condition": True}, {"on_true": "m.int"}),
        },
        outputs={"x": "pick.value"},
    )
    assert engine.run(graph).report.outputs == {"x": [1, 2, 3]}


def test_a_literal_value_may_stand_on_a_lazy_input(engine: Any) -> None:
    graph = engine.graph({"pick": ("choose", {"condition": True, "on_true": 7})}, outputs={"x": "pick.value"})
    assert engine.run(graph).report.outputs == {"x": 7}

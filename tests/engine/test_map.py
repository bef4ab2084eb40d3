"""Map: a node once per element, each with its own key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphflow.engine.events import NodeFinished


def test_a_mapped_node_runs_per_element_and_gives_lists(engine: Any) -> None:
    graph = engine.graph(
        {"n": ("count", {"n": 4}), "m": ("add", {"b": 10}, {"a": "n.ints"}, ["a"])}, outputs={"x": "m.int"}
    )
    run = engine.run(graph)
    assert run.report.outputs == {"x": [10, 11, 12, 13]}
    assert run.ran.count("m") == 4


def test_literal_lists_zip(engine: Any) -> None:
    graph = engine.graph({"m": ("add", {"a": [1, 2, 3], "b": [10, 20, 30]}, {}, ["a", "b"])}, outputs={"x": "m.int"})
    assert engine.run(graph).report.outputs == {"x": [11, 22, 33]}


def test_an_empty_list_gives_empty_outputs(engine: Any) -> None:
    graph = engine.graph(
        {
            "n": ("count", {"n": 0}),
            "m": ("add", {}, {"a": "n.ints"}, ["a"]),
            "s": ("total", {}, {"numbers": ["m.int"]}),
        },
        outputs={"x": "m.int", "s": "s.int"},
    )
    assert engine.run(graph).report.outputs == {"x": [], "s": 0}


def test_unequal_lists_fail_the_node_with_their_lengths(engine: Any) -> None:
    graph = engine.graph(
        {
            "n": ("count", {"n": 2}),
            "k": ("count", {"n": 3}),
            "m": ("add", {}, {"a": "n.ints", "b": "k.ints"}, ["a", "b"]),
        },
        outputs={"x": "m.int"},
    )
    run = engine.run(graph)
    assert run.report.status == "failed"
    assert '"a" has 2, "b" has 3' in run.report.failures[0].message


def test_one_element_goes_through_before_the_next_begins(engine: Any) -> None:
    graph = engine.graph(
        {
            "n": ("count", {"n": 3}),
            "first": ("add", {"b": 1}, {"a": "n.ints"}, ["a"]),
            "second": ("add", {"b": 2}, {"a": "first.int"}, ["a"]),
        },
        outputs={"x": "second.int"},
    )
    run = engine.run(graph)
    order = [(event.node, event.element) for event in run.events if isinstance(event, NodeFinished)][1:]
    assert order == [("first", 0), ("second", 0), ("first", 1), ("second", 1), ("first", 2), ("second", 2)]


def test_a_new_element_runs_alone(engine: Any, ran: list[str]) -> None:
    def graph(text: str) -> Any:
        return engine.graph(
            {"t": ("texts", {"text": text}), "m": ("shout", {}, {"text": "t.strs"}, ["text"])}, outputs={"x": "m.str"}
        )

    engine.run(graph("a b"))
    run = engine.run(graph("a b c"))
    assert run.report.outputs == {"x": ["A", "B", "C"]}
    assert ran == ["texts", "shout c"]


def test_a_mapped_result_is_found_again_as_a_whole(engine: Any) -> None:
    graph = engine.graph(
        {"n": ("count", {"n": 4}), "m": ("add", {"b": 10}, {"a": "n.ints"}, ["a"])}, outputs={"x": "m.int"}
    )
    engine.run(graph)
    again = engine.run(graph)
    assert again.report.executed == 0
    assert again.report.outputs == {"x": [10, 11, 12, 13]}


def test_a_failed_element_leaves_the_others(engine: Any) -> None:
    graph = engine.graph(
        {
            "m": ("divmod", {"a": [7, 8, 9], "b": [2, 0, 2]}, {}, ["a", "b"]),
            "after": ("add", {"b": 1}, {"a": "m.quotient"}, ["a"]),
        },
        outputs={"x": "after.int"},
    )
    run = engine.run(graph)
    assert run.report.status == "failed"
    assert [failure.element for failure in run.report.failures] == [1]
    assert run.ran.count("after") == 2
    assert "x" not in run.report.outputs


def test_unmapped_inputs_are_the_same_for_every_element(engine: Any) -> None:
    graph = engine.graph(
        {
            "n": ("count", {"n": 3}),
            "one": ("add", {"a": 100}),
            "m": ("add", {}, {"a": "n.ints", "b": "one.int"}, ["a"]),
        },
        outputs={"x": "m.int"},
    )
    assert engine.run(graph).report.outputs == {"x": [100, 101, 102]}


def test_ten_thousand_elements_run(engine: Any) -> None:
    graph = engine.graph(
        {
            "n": ("count", {"n": 10_000}),
            "m": ("add", {"b": 1}, {"a": "n.ints"}, ["a"]),
            "s": ("total", {}, {"numbers": ["m.int"]}),
        },
        outputs={"x": "s.int"},
    )
    assert engine.run(graph).report.outputs == {"x": 50_005_000}


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_an_element_whose_file_is_missing_leaves_the_others(engine: Any, tmp_path: Path, missing: int) -> None:
    names = ["a.txt", "b.txt", "c.txt"]
    for name in names[:missing] + names[missing + 1 :]:
        (tmp_path / name).write_text(name)
    graph = engine.graph(
        {
            "names": ("texts", {"text": " ".join(names)}),
            "r": ("read", {}, {"file": "names.strs"}, ["file"]),
            "s": ("shout", {}, {"text": "r.str"}, ["text"]),
        },
        outputs={"x": "s.str"},
    )
    run = engine.run(graph)
    assert run.report.status == "failed"
    assert [(failure.node, failure.element) for failure in run.report.failures] == [("r", missing)]
    assert names[missing] in run.report.failures[0].message
    assert run.ran.count("s") == 2

    (tmp_path / names[missing]).write_text("back")
    again = engine.run(graph)
    assert again.report.status == "succeeded"
    assert again.ran.count("s") == 1

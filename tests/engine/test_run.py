"""Running: what is needed runs, once, and nothing else."""

from __future__ import annotations

from typing import Any

from graphflow.engine import events


def test_a_chain_gives_its_value(engine: Any) -> None:
    graph = engine.graph(
        {"one": ("add", {"a": 1, "b": 2}), "two": ("add", {"b": 10}, {"a": "one.int"})}, outputs={"sum": "two.int"}
    )
    run = engine.run(graph)
    assert run.report.status == "succeeded"
    assert run.report.outputs == {"sum": 13}
    assert run.ran == ["one", "two"]


def test_an_integer_may_go_where_a_float_is_taken(engine: Any) -> None:
    graph = engine.graph({"n": ("add", {"a": 7}), "half": ("half", {}, {"a": "n.int"})}, outputs={"x": "half.float"})
    assert engine.run(graph).report.outputs == {"x": 3.5}


def test_named_outputs_are_told_apart(engine: Any) -> None:
    graph = engine.graph({"d": ("divmod", {"a": 17})}, outputs={"q": "d.quotient", "r": "d.remainder"})
    assert engine.run(graph).report.outputs == {"q": 5, "r": 2}


def test_a_list_port_takes_several_links_in_order_and_lists_too(engine: Any) -> None:
    graph = engine.graph(
        {
            "a": ("add", {"a": 100}),
            "n": ("count", {"n": 3}),
            "all": ("total", {}, {"numbers": ["a.int", "n.ints", "a.int"]}),
        },
        outputs={"x": "all.int"},
    )
    assert engine.run(graph).report.outputs == {"x": 203}


def test_only_what_the_targets_need_runs(engine: Any) -> None:
    graph = engine.graph({"a": ("add", {"a": 1}), "b": ("add", {"b": 1}, {"a": "a.int"}), "c": ("add", {"a": 9})})
    assert engine.run(graph, "b").ran == ["a", "b"]


def test_sinks_and_exposed_outputs_are_the_targets_of_a_run(engine: Any) -> None:
    graph = engine.graph(
        {"t": ("text", {"text": "hi"}), "save": ("save", {}, {"text": "t.str"}), "unused": ("add", {"a": 5})}
    )
    assert sorted(engine.run(graph).ran) == ["save", "t"]


def test_identical_nodes_run_once(engine: Any, ran: list[str]) -> None:
    graph = engine.graph(
        {
            "a": ("add", {"a": 4}),
            "b": ("add", {"a": 4}),
            "sum": ("add", {}, {"a": "a.int", "b": "b.int"}),
        },
        outputs={"x": "sum.int"},
    )
    run = engine.run(graph)
    assert run.report.outputs == {"x": 8}
    assert ran == ["add", "add"]


def test_a_second_run_runs_nothing(engine: Any) -> None:
    graph = engine.graph({"a": ("add", {"a": 1}), "b": ("add", {"b": 2}, {"a": "a.int"})}, outputs={"x": "b.int"})
    engine.run(graph)
    again = engine.run(graph)
    assert (again.report.executed, again.cached, again.report.outputs) == (0, ["b"], {"x": 3})


def test_a_run_without_cache_runs_everything(engine: Any) -> None:
    graph = engine.graph({"a": ("add", {"a": 1}), "b": ("add", {"b": 2}, {"a": "a.int"})}, outputs={"x": "b.int"})
    engine.run(graph)
    assert engine.run(graph, use_cache=False).ran == ["a", "b"]


def test_a_result_whose_inputs_left_the_cache_is_not_made_again(engine: Any) -> None:
    nodes = {"a": ("add", {"a": 1}), "b": ("add", {"b": 2}, {"a": "a.int"}), "c": ("add", {"b": 3}, {"a": "b.int"})}
    graph = engine.graph(nodes)
    first = engine.run(graph, "b")
    key = first.report.records()["a"].key
    engine.app.cache.remove(key)
    assert engine.run(graph, "c").ran == ["c"]


def test_what_is_never_cached_runs_each_time_with_all_below(engine: Any) -> None:
    graph = engine.graph({"now": ("clock",), "half": ("half", {}, {"a": "now.float"})}, outputs={"x": "half.float"})
    assert engine.run(graph).ran == ["now", "half"]
    assert engine.run(graph).ran == ["now", "half"]


def test_a_value_equal_to_the_default_has_the_same_key(engine: Any) -> None:
    engine.run(engine.graph({"a": ("add", {"a": 1, "b": 0})}, outputs={"x": "a.int"}))
    assert engine.run(engine.graph({"z": ("add", {"a": 1})}, outputs={"x": "z.int"})).report.executed == 0


def test_the_events_tell_the_run_in_order(engine: Any) -> None:
    graph = engine.graph({"a": ("add", {"a": 1})}, outputs={"x": "a.int"})
    run = engine.run(graph)
    kinds = [type(event) for event in run.events]
    assert kinds == [events.RunStarted, events.NodeStarted, events.NodeFinished, events.RunFinished]
    assert {event.run for event in run.events} == {run.report.run}
    assert events.event_json(run.events[-1])["outputs"] == {"x": 1}


def test_a_linked_value_out_of_range_fails_its_node_with_the_range(engine: Any) -> None:
    graph = engine.graph({"a": ("add", {"a": 200_000}), "b": ("add", {}, {"b": "a.int"})}, outputs={"x": "b.int"})
    run = engine.run(graph)
    assert run.report.status == "failed"
    assert run.report.failures[0].message == 'input "b": 200000 is too large; use -1000 to 100000.'


def test_saved_files_are_told_with_their_path_new_or_cached(engine: Any, artifacts: Any) -> None:
    graph = engine.graph({"save": ("save", {"text": "hello"})}, outputs={"file": "save.file"})
    first, second = engine.run(graph), engine.run(graph)
    assert second.report.executed == 0
    assert [item.path for item in first.report.artifacts] == [item.path for item in second.report.artifacts]
    assert artifacts.path(first.report.artifacts[0].name).read_text() == "hello"


def test_a_deleted_artifact_is_made_again(engine: Any, artifacts: Any) -> None:
    graph = engine.graph({"save": ("save", {"text": "hello"})})
    artifacts.path(engine.run(graph).report.artifacts[0].name).unlink()
    again = engine.run(graph)
    assert again.ran == ["save"]
    assert artifacts.path(again.report.artifacts[0].name).read_text() == "hello"


def test_a_graph_without_nodes_succeeds(engine: Any) -> None:
    assert engine.run(engine.graph({})).report.status == "succeeded"

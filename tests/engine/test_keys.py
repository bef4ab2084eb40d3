"""Keys: what changes a result changes its key, and nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphflow.app import App
from graphflow.engine.keys import KeyMaker
from graphflow.settings import Settings


def test_going_back_to_an_earlier_value_runs_nothing(engine: Any) -> None:
    def graph(value: int) -> Any:
        return engine.graph(
            {"a": ("add", {"a": value}), "b": ("add", {"b": 2}, {"a": "a.int"})}, outputs={"x": "b.int"}
        )

    for value in (1, 2):
        engine.run(graph(value))
    assert engine.run(graph(1)).report.executed == 0


def test_a_file_overwritten_under_the_same_name_is_noticed(engine: Any, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("one")
    graph = engine.graph({"r": ("read", {"file": "note.txt"})}, outputs={"x": "r.str"})
    assert engine.run(graph).report.outputs == {"x": "one"}
    (tmp_path / "note.txt").write_text("two")
    assert engine.run(graph).report.outputs == {"x": "two"}
    (tmp_path / "note.txt").write_text("one")
    assert engine.run(graph).report.executed == 0


def test_a_file_named_over_a_link_counts_by_its_content(engine: Any, tmp_path: Path, ran: list[str]) -> None:
    (tmp_path / "note.txt").write_text("one")
    graph = engine.graph(
        {"name": ("text", {"text": "note.txt"}), "r": ("read", {}, {"file": "name.str"})}, outputs={"x": "r.str"}
    )
    engine.run(graph)
    engine.run(graph)
    assert ran == []
    (tmp_path / "note.txt").write_text("two")
    assert engine.run(graph).report.outputs == {"x": "two"}


def test_files_are_read_once_per_name_in_a_list(engine: Any, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(name)
    graph = engine.graph(
        {"names": ("texts", {"text": "a.txt b.txt"}), "r": ("read", {}, {"file": "names.strs"}, ["file"])},
        outputs={"x": "r.str"},
    )
    assert engine.run(graph).report.outputs == {"x": ["a", "b"]}
    (tmp_path / "b.txt").write_text("new")
    run = engine.run(graph)
    assert run.report.outputs == {"x": ["a", "new"]}
    assert run.ran.count("r") == 1


def test_a_file_that_vanished_fails_its_node_only(engine: Any, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("one")
    graph = engine.graph(
        {"r": ("read", {"file": "note.txt"}), "s": ("shout", {}, {"text": "r.str"}), "a": ("add", {"a": 1})},
        outputs={"x": "s.str", "y": "a.int"},
    )
    (tmp_path / "note.txt").unlink()
    run = engine.run(graph)
    assert run.report.outputs == {"y": 1}
    assert [failure.node for failure in run.report.failures] == ["r"]
    assert "note.txt" in run.report.failures[0].message


def test_a_nodes_own_fingerprint_joins_its_key(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = engine.graph({"s": ("stamped", {"a": 1})}, outputs={"x": "s.int"})
    linked = engine.graph({"a": ("add", {"a": 1}), "s": ("stamped", {}, {"a": "a.int"})}, outputs={"x": "s.int"})
    for each in (graph, linked):
        engine.run(each)
        assert engine.run(each).report.executed == 0
    cls = engine.app.registry.spec("t.stamped").cls
    monkeypatch.setitem(cls.run.__globals__, "stamp", 1)
    assert engine.run(graph).ran == ["s"]
    assert engine.run(linked).ran == ["s"]


@pytest.mark.parametrize("change", [{"precision": "fp32"}, {"attention": "xformers"}])
def test_what_changes_bits_is_in_the_key(engine: Any, change: dict[str, str]) -> None:
    graph = engine.graph({"a": ("add", {"a": 1})}, outputs={"x": "a.int"})
    engine.run(graph)
    other = App(Settings(home=engine.folder, **change))
    other.__dict__["registry"] = engine.app.registry
    assert other.salt != engine.app.salt
    other.__dict__["cache"] = engine.app.cache
    assert other.run(graph).executed == 1
    assert engine.run(graph).report.executed == 0


def test_keys_depend_on_the_salt_and_the_parts() -> None:
    parts: list[Any] = ["t.a", 1, {"x": 1}, {}, {}]
    key = KeyMaker({}).key(parts)[0]
    assert key == KeyMaker({}).key(list(parts))[0]
    assert key != KeyMaker({"torch": "2"}).key(parts)[0]
    assert key != KeyMaker({}).key(["t.a", 1, {"x": 1.0}, {}, {}])[0]
    assert key != KeyMaker({}).key(["t.a", 1, {"x": True}, {}, {}])[0]


def test_the_explanation_names_the_value_that_changed(engine: Any) -> None:
    for value in (1, 2):
        nodes = {"a": ("add", {"a": value}), "b": ("add", {"b": 2}, {"a": "a.int"}), "c": ("add", {"a": 9})}
        engine.run(engine.graph(nodes, outputs={"x": "b.int", "y": "c.int"}))
    assert any("a: 1 -> 2" in line for line in engine.app.explain("a"))
    assert any("what comes from a changed" in line for line in engine.app.explain("b"))
    assert any("its result was in the cache" in line for line in engine.app.explain("c"))
    assert engine.app.explain("nobody") == []

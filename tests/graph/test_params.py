"""Setting values from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphflow.errors import WorkflowError
from graphflow.graph import Document, check, document_from, dump_document, set_params
from graphflow.graph.graph import NodeTypes


@pytest.fixture
def doc() -> Document:
    return document_from(
        {
            "graphflow": 1,
            "params": {"prompt": "w.text", "size": ["n.value", "sum.b"], "many": "m.value", "sum": "sum.a"},
            "nodes": {
                "w": {"type": "core.words@1"},
                "n": {"type": "core.number@1"},
                "m": {"type": "core.number@1", "values": {"value": [1, 2]}, "map": ["value"]},
                "sum": {"type": "core.add@1", "links": {"a": "n.int"}},
                "b": {"type": "core.blend@1", "links": {"paints": "mix.paint"}},
                "mix": {"type": "core.mix@1", "values": {"name": "red"}},
                "show": {"type": "core.show@1", "values": {"value": 1}},
            },
        },
        "fox.json",
    )


@pytest.mark.parametrize(
    ("assignment", "place", "value"),
    [
        ("prompt=a red circle", "w.text", "a red circle"),
        ("prompt=7", "w.text", "7"),
        ("prompt=a=b", "w.text", "a=b"),
        ("prompt=", "w.text", ""),
        ("prompt= x ", "w.text", " x "),
        ('prompt="x"', "w.text", '"x"'),
        ("prompt=null", "w.text", "null"),
        ("prompt=@@home", "w.text", "@home"),
        ("w.style=loud", "w.style", "loud"),
        ('w.style="loud"', "w.style", "loud"),
        ("w.weight=2", "w.weight", 2),
        ("w.weight=0.5", "w.weight", 0.5),
        ("w.enabled=false", "w.enabled", False),
        ('w.tags=["a", "b"]', "w.tags", ["a", "b"]),
        ("w.box=[0, 1]", "w.box", [0, 1]),
        ("n.value=-3", "n.value", -3),
        ("many=[5, 6, 7]", "m.value", [5, 6, 7]),
        ("m.value=[]", "m.value", []),
        ("show.value=text", "show.value", "text"),
        ("show.value=[1]", "show.value", [1]),
    ],
)
def test_texts_are_read_by_the_type_of_the_input(
    doc: Document, types: NodeTypes, assignment: str, place: str, value: Any
) -> None:
    node, name = place.split(".")
    changed = set_params(doc, [assignment], types)
    found = changed.nodes[node].values[name]
    assert (type(found), found) == (type(value), value)
    assert check(changed, types).graph is not None


def test_one_parameter_sets_all_its_places(doc: Document, types: NodeTypes) -> None:
    changed = set_params(doc, ["size=8"], types)
    assert changed.nodes["n"].values == {"value": 8}
    assert changed.nodes["sum"].values == {"b": 8}


def test_a_value_replaces_a_link(doc: Document, types: NodeTypes) -> None:
    changed = set_params(doc, {"sum": 4}, types)
    assert changed.nodes["sum"].links == {}
    assert changed.nodes["sum"].values == {"a": 4}
    assert check(changed, types).graph is not None


def test_the_document_stays_as_it_is(doc: Document, types: NodeTypes) -> None:
    before = dump_document(doc)
    set_params(doc, {"sum": 4, "prompt": "x", "size": 3}, types)
    assert dump_document(doc) == before


def test_a_mapping_brings_values_as_they_are(doc: Document, types: NodeTypes) -> None:
    changed = set_params(doc, {"prompt": "@home", "w.tags": ["a"], "w.note": None, "many": [3]}, types)
    assert changed.nodes["w"].values == {"text": "@home", "tags": ["a"], "note": None}
    assert changed.nodes["m"].values == {"value": [3]}


def test_the_last_of_two_values_counts(doc: Document, types: NodeTypes) -> None:
    assert set_params(doc, ["n.value=1", "n.value=2"], types).nodes["n"].values == {"value": 2}


def test_a_text_comes_from_a_file(
    doc: Document, types: NodeTypes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prompt.txt").write_text("ein Fuchs – 狐", encoding="utf-8")
    (tmp_path / "tags.json").write_text('["a"]')
    monkeypatch.chdir(tmp_path)
    changed = set_params(doc, ["prompt=@prompt.txt", f"w.tags=@{tmp_path}/tags.json"], types)
    assert changed.nodes["w"].values == {"text": "ein Fuchs – 狐", "tags": ["a"]}


@pytest.mark.parametrize(
    ("assignment", "code", "parts"),
    [
        ("prompt", "bad_assignment", ('"prompt"', "NAME=VALUE")),
        ("=x", "bad_assignment", ("NAME=VALUE",)),
        ("promt=x", "unknown_param", ('"promt"', "prompt, size, many, sum", 'Did you mean "prompt"')),
        ("x.y=1", "unknown_param", ('"x.y"', "node.input")),
        ("n.valu=1", "unknown_param", ('the node "n" (core.number)', 'did you mean "value"')),
        ("n.value=seven", "bad_value", ('"seven"', "a whole number, -1000 to 1000")),
        ("n.value=7.5", "bad_value", ("fraction",)),
        ("n.value=NaN", "bad_value", ('"NaN"',)),
        ("n.value=2000", "bad_value", ("2000 is too large", "-1000 to 1000")),
        ("n.value=", "bad_value", ('""',)),
        ("w.enabled=yes", "bad_value", ('"yes"', "true or false")),
        ("w.style=quiet", "bad_value", ('"quiet"', '"plain", "loud"')),
        ("w.style=1", "bad_value", ("1", '"plain", "loud"')),
        ("w.tags=a", "bad_value", ('"a" is not JSON', "a list of str")),
        ("w.tags=[1]", "bad_value", ("element 0",)),
        ("w.box=" + "[" * 100_000, "bad_value", ("not JSON",)),
        ("many=3", "bad_value", ("list",)),
        ("many=x", "bad_value", ("list of int", "mapped")),
        ('many=["a"]', "bad_value", ("element 0",)),
        ("b.paints=red", "bad_value", ("JSON",)),
        ('b.paints="red"', "value_on_link_only", ("links from outputs of type Paint",)),
        ("prompt=@gone.txt", "unreadable_file", ("gone.txt", "@@")),
        ("prompt=\udcff", "not_utf8", ("UTF-8",)),
    ],
)
def test_wrong_assignments_are_findings(
    doc: Document, types: NodeTypes, assignment: str, code: str, parts: tuple[str, ...]
) -> None:
    with pytest.raises(WorkflowError) as error:
        set_params(doc, [assignment], types)
    (found,) = error.value.findings
    assert found.code == code, str(found)
    assert str(found).startswith("fox.json")
    for part in parts:
        assert part in str(found), str(found)


def test_all_wrong_assignments_are_told_at_once(doc: Document, types: NodeTypes) -> None:
    with pytest.raises(WorkflowError) as error:
        set_params(doc, ["x=1", "n.value=z", "prompt", "prompt=fine"], types)
    assert sorted(found.code for found in error.value.findings) == ["bad_assignment", "bad_value", "unknown_param"]


def test_names_are_those_of_the_installed_version(types: NodeTypes) -> None:
    doc = document_from(
        {
            "graphflow": 1,
            "params": {"amount": "cut.amount"},
            "nodes": {"cut": {"type": "core.cut@1", "values": {"amount": 1}}},
        },
        "x",
    )
    for name in ("amount", "cut.number"):
        changed = set_params(doc, [f"{name}=9"], types)
        assert changed.nodes["cut"].values == {"number": 9, "parts": 2}


def test_parameters_of_subgraphs(tmp_path: Path, types: NodeTypes) -> None:
    inner = {
        "graphflow": 1,
        "params": {"x": "n.value", "list": "m.value"},
        "nodes": {
            "n": {"type": "core.number@1"},
            "m": {"type": "core.number@1", "values": {"value": [1]}, "map": ["value"]},
        },
    }
    (tmp_path / "inner.json").write_text(json.dumps(inner))
    nodes = {"i": {"type": "workflow:inner.json"}, "j": {"type": "workflow:inner.json", "map": ["x"]}}
    doc = document_from({"graphflow": 1, "params": {"y": ["i.x"]}, "nodes": nodes}, "o", path=tmp_path / "o.json")
    changed = set_params(doc, ["y=3", "i.list=[4, 5]", "j.x=[1, 2]"], types)
    assert changed.nodes["i"].values == {"x": 3, "list": [4, 5]}
    assert changed.nodes["j"].values == {"x": [1, 2]}
    assert check(changed, types).graph is not None
    with pytest.raises(WorkflowError, match=r"i\.z"):
        set_params(doc, ["i.z=3"], types)
    (tmp_path / "inner.json").unlink()
    with pytest.raises(WorkflowError, match=r"inner\.json"):
        set_params(doc, ["y=3"], types)

"""Workflows inside workflows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphflow.errors import Finding
from graphflow.graph import carrying_files, check, document_from, dump_document, load_document, parse_document
from graphflow.graph.graph import Graph, GraphNode, NodeTypes, Source

NUMBER = {"type": "core.number@1"}
TWICE = {
    "params": {"x": ["sum.a", "sum.b"], "more": "extra.value"},
    "outputs": {"result": "all.int", "first": "sum.int"},
    "nodes": {
        "sum": {"type": "core.add@1"},
        "extra": {"type": "core.number@1", "values": {"value": 5}},
        "all": {"type": "core.total@1", "links": {"numbers": ["sum.int", "extra.int"]}},
    },
}


class Folder:
    """Workflow files in a folder, and the check of one of them."""

    def __init__(self, path: Path, types: NodeTypes) -> None:
        self.path = path
        self.types = types

    def write(self, name: str, nodes: dict[str, Any], **parts: Any) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"graphflow": 1, "nodes": nodes, **parts}))

    def findings(self, name: str = "outer.json") -> list[Finding]:
        doc = load_document(self.path / name)
        doc.label = name
        return check(doc, self.types).findings

    def graph(self, name: str = "outer.json") -> Graph:
        result = check(load_document(self.path / name), self.types)
        assert result.graph is not None, [str(found) for found in result.findings]
        return result.graph


@pytest.fixture
def folder(tmp_path: Path, types: NodeTypes) -> Folder:
    made = Folder(tmp_path, types)
    made.write("twice.json", **TWICE)
    return made


def node(graph: Graph, id: str) -> GraphNode:
    return graph.nodes[graph.index[id]]


def source(graph: Graph, id: str, output: str) -> Source:
    return Source(graph.index[id], output)


def test_a_subgraph_becomes_its_nodes(folder: Folder) -> None:
    folder.write(
        "outer.json",
        {
            "n": NUMBER,
            "t": {"type": "workflow:twice.json", "values": {"more": 9}, "links": {"x": "n.int"}},
            "last": {"type": "core.add@1", "links": {"a": "t.result"}},
        },
        outputs={"first": "t.first"},
    )
    graph = folder.graph()
    assert [each.id for each in graph.nodes] == ["n", "t/extra", "t/sum", "t/all", "last"]
    assert node(graph, "t/extra").values == {"value": 9}
    assert node(graph, "t/sum").links == {"a": (source(graph, "n", "int"),), "b": (source(graph, "n", "int"),)}
    assert node(graph, "last").links == {"a": (source(graph, "t/all", "int"),)}
    assert graph.outputs == {"first": source(graph, "t/sum", "int")}


def test_a_subgraph_can_be_used_twice_and_in_another_folder(folder: Folder) -> None:
    folder.write(
        "deep/middle.json",
        {"t": {"type": "workflow:../twice.json"}, "u": {"type": "workflow:../twice.json", "links": {"x": "t.result"}}},
        params={"start": "t.x"},
        outputs={"end": "u.result"},
    )
    folder.write(
        "outer.json", {"m": {"type": "workflow:deep/middle.json", "values": {"start": 2}}}, outputs={"end": "m.end"}
    )
    graph = folder.graph()
    assert node(graph, "m/t/sum").values == {"a": 2, "b": 2}
    assert node(graph, "m/u/sum").links["a"] == (source(graph, "m/t/all", "int"),)
    assert graph.outputs == {"end": source(graph, "m/u/all", "int")}


def test_what_is_given_outside_replaces_what_is_saved_inside(folder: Folder) -> None:
    inner = {"n": NUMBER, "a": {"type": "core.add@1", "values": {"b": 1}, "links": {"a": "n.int"}}}
    folder.write("inner.json", inner, params={"a": "a.a", "b": "a.b"})
    folder.write(
        "outer.json", {"m": NUMBER, "i": {"type": "workflow:inner.json", "values": {"a": 3}, "links": {"b": "m.int"}}}
    )
    graph = folder.graph()
    assert node(graph, "i/a").values == {"a": 3}
    assert node(graph, "i/a").links == {"b": (source(graph, "m", "int"),)}


def test_a_missing_input_is_told_where_it_can_be_given(folder: Folder) -> None:
    folder.write("outer.json", {"t": {"type": "workflow:twice.json"}})
    (found,) = folder.findings()
    assert (found.file, found.node, found.input, found.code) == ("outer.json", "t", "x", "missing_input")


def test_a_wrong_value_is_told_where_it_was_written(folder: Folder) -> None:
    folder.write("outer.json", {"t": {"type": "workflow:twice.json", "values": {"x": "one", "more": 5000}}})
    places = [(found.file, found.node, found.input, found.code) for found in folder.findings()]
    assert sorted(places) == [("outer.json", "t", "more", "bad_value"), ("outer.json", "t", "x", "bad_value")]


def test_a_wrong_link_is_told_where_it_was_written(folder: Folder) -> None:
    nodes = {
        "m": {"type": "core.mix@1", "values": {"name": "red"}},
        "t": {"type": "workflow:twice.json", "links": {"x": "m.paint"}},
    }
    folder.write("outer.json", nodes)
    (found,) = folder.findings()
    assert str(found) == 'outer.json, node "t", input "x": "m.paint" gives Paint, but the input takes int.'


@pytest.mark.parametrize(
    ("values", "links", "more", "code"),
    [
        ({"x": 1, "y": 1}, {}, {}, "unknown_input"),
        ({"x": 1}, {"x": "n.int"}, {}, "value_and_link"),
        ({}, {"x": "m.int"}, {}, "unknown_node"),
        ({}, {"x": ["n.int", "n.int"]}, {}, "several_links"),
        ({"x": 1}, {}, {"map": ["x"]}, "map_without_list"),
        ({"x": 1}, {}, {"map": ["more"]}, "map_without_list"),
        ({"x": [1], "more": [1, 2]}, {}, {"map": ["x", "more"]}, "unequal_lists"),
        ({"x": [1, "2"]}, {}, {"map": ["x"]}, "bad_value"),
        ({"x": [1]}, {}, {"map": ["x", "z"]}, "unknown_input"),
    ],
)
def test_wrong_inputs_of_a_subgraph(
    folder: Folder, values: dict[str, Any], links: dict[str, Any], more: dict[str, Any], code: str
) -> None:
    folder.write(
        "outer.json", {"n": NUMBER, "t": {"type": "workflow:twice.json", "values": values, "links": links, **more}}
    )
    (found,) = folder.findings()
    assert (found.file, found.node, found.code) == ("outer.json", "t", code), str(found)


def test_an_unknown_output_of_a_subgraph_names_those_it_has(folder: Folder) -> None:
    nodes = {
        "t": {"type": "workflow:twice.json", "values": {"x": 1}},
        "a": {"type": "core.add@1", "links": {"a": "t.sum"}},
    }
    folder.write("outer.json", nodes)
    (found,) = folder.findings()
    assert "it has result, first" in str(found)


def test_findings_inside_carry_the_inner_file(folder: Folder) -> None:
    inner = {
        "n": {"type": "core.number@1", "values": {"value": 5000}},
        "a": {"type": "core.add@1", "links": {"a": "m.int"}},
    }
    folder.write("parts/inner.json", inner, params={"p": "x.y"}, outputs={"o": "z.int"})
    folder.write("outer.json", {"i": {"type": "workflow:parts/inner.json"}, "j": {"type": "workflow:parts/inner.json"}})
    lines = sorted(str(found) for found in folder.findings())
    assert len(lines) == 4
    assert all(line.startswith(str(Path("parts/inner.json"))) for line in lines)


@pytest.mark.parametrize("text", ["{", '{"graphflow": 2}', '{"nodes": {}}', "[]"])
def test_a_wrong_inner_file_is_told_with_its_name(folder: Folder, text: str) -> None:
    (folder.path / "inner.json").write_text(text)
    folder.write(
        "outer.json", {"i": {"type": "workflow:inner.json"}, "a": {"type": "core.add@1", "links": {"a": "i.x"}}}
    )
    (found,) = folder.findings()
    assert "inner.json" in found.file
    assert "outer" not in found.file


def test_a_workflow_that_contains_itself(folder: Folder) -> None:
    folder.write("outer.json", {"m": {"type": "workflow:middle.json"}})
    folder.write("middle.json", {"o": {"type": "workflow:./outer.json"}})
    (found,) = folder.findings()
    assert found.code == "subgraph_recursion"
    assert "outer.json -> middle.json -> outer.json" in found.message
    assert "middle.json" in found.file


def test_files_that_multiply_without_end_are_refused(folder: Folder) -> None:
    folder.write("f0.json", {f"n{i}": NUMBER for i in range(60)})
    for level in range(1, 5):
        folder.write(f"f{level}.json", {f"n{i}": {"type": f"workflow:f{level - 1}.json"} for i in range(60)})
    folder.write("outer.json", {"n": NUMBER, "i": {"type": "workflow:f4.json"}}, outputs={"o": "n.int"})
    assert {found.code for found in folder.findings()} == {"too_large"}


def test_subgraphs_three_hundred_deep(folder: Folder) -> None:
    folder.write("f0.json", {"n": NUMBER}, params={"v": "n.value"}, outputs={"o": "n.int"})
    for level in range(1, 300):
        folder.write(
            f"f{level}.json", {"i": {"type": f"workflow:f{level - 1}.json"}}, params={"v": "i.v"}, outputs={"o": "i.o"}
        )
    folder.write("outer.json", {"i": {"type": "workflow:f299.json", "values": {"v": 7}}}, outputs={"o": "i.o"})
    graph = folder.graph()
    assert graph.nodes[0].values == {"value": 7}
    assert graph.outputs == {"o": Source(0, "int")}


def test_a_mapped_subgraph_maps_what_depends_on_the_list(folder: Folder) -> None:
    folder.write(
        "outer.json",
        {
            "t": {"type": "workflow:twice.json", "values": {"x": [1, 2, 3], "more": 9}, "map": ["x"]},
            "end": {"type": "core.total@1", "links": {"numbers": "t.result"}},
        },
    )
    graph = folder.graph()
    assert node(graph, "t/sum").mapped == {"a", "b"}
    assert node(graph, "t/sum").values == {"a": [1, 2, 3], "b": [1, 2, 3]}
    assert not node(graph, "t/extra").is_mapped
    assert node(graph, "t/all").mapped == frozenset()
    assert node(graph, "t/all").zipped == {("numbers", 0)}
    assert not node(graph, "end").is_mapped


def test_a_mapped_subgraph_over_links(folder: Folder) -> None:
    folder.write(
        "outer.json",
        {
            "r": {"type": "core.range@1"},
            "t": {"type": "workflow:twice.json", "values": {"x": 1}, "links": {"more": "r.ints"}, "map": ["more"]},
        },
    )
    graph = folder.graph()
    assert node(graph, "t/extra").mapped == {"value"}
    assert not node(graph, "t/sum").is_mapped
    assert node(graph, "t/all").zipped == {("numbers", 1)}


def test_a_mapped_subgraph_gives_lists(folder: Folder) -> None:
    nodes = {
        "t": {"type": "workflow:twice.json", "values": {"x": [1, 2]}, "map": ["x"]},
        "a": {"type": "core.add@1", "links": {"a": "t.first"}},
    }
    folder.write("outer.json", nodes)
    (found,) = folder.findings()
    assert found.code == "link_type"
    assert "gives list[int]" in str(found) or "is mapped" in str(found)


def test_the_map_of_an_outer_workflow_reaches_inner_ones(folder: Folder) -> None:
    folder.write("middle.json", {"t": {"type": "workflow:twice.json"}}, params={"y": "t.x"}, outputs={"z": "t.result"})
    folder.write("outer.json", {"m": {"type": "workflow:middle.json", "values": {"y": [1, 2]}, "map": ["y"]}})
    graph = folder.graph()
    assert node(graph, "m/t/sum").mapped == {"a", "b"}
    assert node(graph, "m/t/all").zipped == {("numbers", 0)}


def test_a_map_inside_that_does_not_depend_runs_as_it_is(folder: Folder) -> None:
    folder.write(
        "inner.json",
        {
            "list": {"type": "core.number@1", "values": {"value": [1, 2]}, "map": ["value"]},
            "one": NUMBER,
            "all": {"type": "core.total@1", "links": {"numbers": ["list.int", "one.int"]}},
        },
        params={"v": "one.value"},
        outputs={"o": "all.int"},
    )
    folder.write("outer.json", {"i": {"type": "workflow:inner.json", "values": {"v": [1, 2, 3]}, "map": ["v"]}})
    graph = folder.graph()
    assert node(graph, "i/list").mapped == {"value"}
    assert node(graph, "i/all").zipped == {("numbers", 1)}


def test_a_map_inside_that_depends_is_refused(folder: Folder) -> None:
    folder.write(
        "inner.json",
        {
            "one": NUMBER,
            "sum": {"type": "core.add@1", "values": {"b": [1, 2]}, "links": {"a": "one.int"}, "map": ["b"]},
        },
        params={"v": "one.value"},
    )
    folder.write("outer.json", {"i": {"type": "workflow:inner.json", "values": {"v": [1, 2, 3]}, "map": ["v"]}})
    (found,) = folder.findings()
    assert found.code == "nested_map"
    assert "nested map is not supported" in found.message


def test_a_mapped_subgraph_in_a_mapped_subgraph_is_refused_when_it_depends(folder: Folder) -> None:
    inner = {"t": {"type": "workflow:twice.json", "values": {"more": [1, 2]}, "map": ["more"]}}
    folder.write("middle.json", inner, params={"y": "t.x"}, outputs={"z": "t.result"})
    folder.write("outer.json", {"m": {"type": "workflow:middle.json", "values": {"y": [1, 2]}, "map": ["y"]}})
    (found,) = folder.findings()
    assert found.code == "nested_map"
    assert "m and of m/t" in found.message


def test_input_files_beside_a_subgraph_are_found_from_the_outer_folder(folder: Folder) -> None:
    folder.write(
        "parts/inner.json", {"o": {"type": "core.open@1", "values": {"picture": "fox.png"}}}, params={"p": "o.picture"}
    )
    (folder.path / "parts" / "fox.png").write_bytes(b"")
    folder.write("outer.json", {"i": {"type": "workflow:parts/inner.json"}})
    assert node(folder.graph(), "i/o").values == {"picture": "parts/fox.png"}
    folder.write("outer.json", {"i": {"type": "workflow:parts/inner.json", "values": {"p": "owl.png"}}})
    assert node(folder.graph(), "i/o").values == {"picture": "owl.png"}


def test_a_document_carries_its_subgraphs_and_runs_without_their_files(tmp_path: Path, types: NodeTypes) -> None:
    (tmp_path / "parts").mkdir()
    inner = {"graphflow": 1, "params": {"x": "a.a"}, "outputs": {"y": "a.int"}, "nodes": {"a": {"type": "core.add@1"}}}
    middle = {
        "graphflow": 1,
        "params": {"x": "i.x"},
        "outputs": {"y": "i.y"},
        "nodes": {"i": {"type": "workflow:inner.json"}},
    }
    (tmp_path / "parts" / "inner.json").write_text(json.dumps(inner))
    (tmp_path / "parts" / "middle.json").write_text(json.dumps(middle))
    outer = {"graphflow": 1, "nodes": {"m": {"type": "workflow:parts/middle.json", "values": {"x": 4}}}}
    text = dump_document(carrying_files(document_from(outer, "outer.json", path=tmp_path / "outer.json"), types), types)

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    carried = parse_document(text, label="picture.png", path=elsewhere / "picture.png")
    result = check(carried, types)
    assert result.findings == []
    assert result.graph is not None
    assert [(node.id, node.values) for node in result.graph.nodes] == [("m/i/a", {"a": 4})]
    assert dump_document(carried, types) == text

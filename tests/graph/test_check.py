"""Graphs that checks make, and findings that need more than a line of the table in `test_bad_inputs.py`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from graphflow.authoring.describe import InputSchema
from graphflow.graph import Document, SavedNode, check, document_from, dump_document, parse_document
from graphflow.graph.graph import Graph, NodeTypes, Source

NUMBER = {"type": "core.number@1"}


def document(nodes: dict[str, Any], **parts: Any) -> Document:
    return document_from({"graphflow": 1, "nodes": nodes, **parts}, "fox.json")


def graph_of(doc: Document, types: NodeTypes) -> Graph:
    result = check(doc, types)
    assert result.graph is not None, [str(found) for found in result.findings]
    return result.graph


def add(link: Any, **values: Any) -> dict[str, Any]:
    return {"type": "core.add@1", "values": values, "links": {"a": link}}


def test_a_graph_is_topological_with_ties_by_id(types: NodeTypes) -> None:
    doc = document({"z": NUMBER, "a": add("c.int"), "c": add("z.int"), "b": add("z.int")}, outputs={"sum": "a.int"})
    graph = graph_of(doc, types)
    assert [node.id for node in graph.nodes] == ["z", "b", "c", "a"]
    assert graph.index == {"z": 0, "b": 1, "c": 2, "a": 3}
    assert graph.nodes[3].links == {"a": (Source(2, "int"),)}
    assert graph.outputs == {"sum": Source(3, "int")}
    assert graph.file == "fox.json"


def test_values_are_kept_as_saved(types: NodeTypes) -> None:
    values = {"weight": 2, "tags": ["a"], "note": None, "box": [0.5, 1]}
    graph = graph_of(document({"w": {"type": "core.words@1", "values": values}}), types)
    assert graph.nodes[0].values == values
    assert graph.nodes[0].schema.type == "core.words"


def test_checking_leaves_the_document_alone(types: NodeTypes) -> None:
    doc = document({"cut": {"type": "core.cut@1", "values": {"amount": 8, "mode": 1}}, "n": add("cut.low")})
    before = dump_document(doc)
    graph = graph_of(doc, types)
    graph.nodes[0].values["number"] = 0
    assert dump_document(doc) == before


def test_old_nodes_are_migrated_before_they_are_checked(types: NodeTypes) -> None:
    doc = document(
        {"cut": {"type": "core.cut@1", "values": {"amount": 8, "mode": 1}}, "n": add("cut.low")},
        params={"amount": "cut.amount"},
        outputs={"high": "cut.high"},
    )
    graph = graph_of(doc, types)
    assert graph.nodes[0].schema.type == "core.split"
    assert graph.nodes[0].values == {"number": 8, "parts": 2}
    assert graph.nodes[1].links == {"a": (Source(0, "first"),)}
    assert graph.outputs == {"high": Source(0, "second")}


def test_a_list_port_takes_links_in_order_and_whole_lists(types: NodeTypes) -> None:
    doc = document(
        {
            "a": NUMBER,
            "r": {"type": "core.range@1"},
            "t": {"type": "core.total@1", "links": {"numbers": ["r.ints", "a.int", "a.int"]}},
        }
    )
    assert graph_of(doc, types).nodes[2].links["numbers"] == (Source(1, "ints"), Source(0, "int"), Source(0, "int"))


def test_a_subclass_and_a_lazy_branch_are_accepted(types: NodeTypes) -> None:
    doc = document(
        {
            "g": {"type": "core.gloss@1"},
            "b": {"type": "core.blend@1", "links": {"paints": ["g.glossy_paint"], "lid": "g.glossy_paint"}},
            "s": {
                "type": "core.switch@1",
                "values": {"condition": True, "on_false": 3},
                "links": {"on_true": "b.paint"},
            },
        }
    )
    graph_of(doc, types)


def test_a_map_over_links_and_lists(types: NodeTypes) -> None:
    doc = document(
        {
            "r": {"type": "core.range@1"},
            "a": add("r.ints", b=[1, 2, 3]) | {"map": ["a", "b"]},
            "b": add("a.int") | {"map": ["a"]},
            "t": {"type": "core.total@1", "links": {"numbers": ["b.int"]}},
        }
    )
    graph = graph_of(doc, types)
    assert [sorted(node.mapped) for node in graph.nodes] == [[], ["a", "b"], ["a"], []]
    assert graph.nodes[1].values == {"b": [1, 2, 3]}


def test_a_list_port_is_mapped_over_its_elements(types: NodeTypes) -> None:
    doc = document({"t": {"type": "core.total@1", "values": {"numbers": [1, 2]}, "map": ["numbers"]}})
    assert graph_of(doc, types).nodes[0].is_mapped
    doc = document({"t": {"type": "core.total@1", "values": {"numbers": [[1], [2]]}, "map": ["numbers"]}})
    assert [found.code for found in check(doc, types).findings] == ["bad_value", "bad_value"]


def test_a_chain_ten_thousand_deep(types: NodeTypes) -> None:
    nodes = {"n0": NUMBER} | {f"n{i}": add(f"n{i - 1}.int") for i in range(1, 10_001)}
    doc = document(nodes)
    graph = graph_of(doc, types)
    assert len(graph.nodes) == 10_001
    assert graph.nodes[-1].id == "n10000"
    again = parse_document(dump_document(doc), label="x")
    assert list(again.nodes) == [node.id for node in graph.nodes]


def test_a_cycle_of_ten_thousand_is_told_in_a_line(types: NodeTypes) -> None:
    nodes = {f"n{i:05}": add(f"n{(i - 1) % 10_000:05}.int") for i in range(10_000)}
    (found,) = check(document(nodes), types).findings
    assert found.code == "cycle"
    assert "n00000 -> n00001" in found.message
    assert "more" in found.message
    assert len(str(found)) < 300


def test_two_cycles_are_two_findings(types: NodeTypes) -> None:
    doc = document({"a": add("b.int"), "b": add("a.int"), "c": add("d.int"), "d": add("c.int"), "e": add("d.int")})
    assert [found.node for found in check(doc, types).findings] == ["a", "c"]


def test_a_cycle_through_a_lazy_input_is_one(types: NodeTypes) -> None:
    lazy = {"type": "core.switch@1", "values": {"condition": True, "on_false": 1}, "links": {"on_true": "a.int"}}
    assert [found.code for found in check(document({"a": add("s.value"), "s": lazy}), types).findings] == ["cycle"]


def test_links_of_unknown_nodes_are_not_judged(types: NodeTypes) -> None:
    doc = document({"x": {"type": "glow.place@1", "links": {"any": "n.int"}}, "n": NUMBER, "a": add("x.whatever")})
    assert [found.code for found in check(doc, types).findings] == ["unknown_pack"]


def test_an_older_pack_is_a_warning_and_the_graph_is_made(types: NodeTypes) -> None:
    result = check(document({"n": NUMBER}, packs={"core": "0.10", "gone": "1"}), types)
    assert result.graph is not None
    (found,) = result.findings
    assert (found.severity, found.code) == ("warning", "older_pack")
    assert "0.10" in found.message
    assert not check(document({"n": NUMBER}, packs={"core": "0.3"}), types).findings


def test_an_empty_workflow_is_a_warning(types: NodeTypes) -> None:
    result = check(Document(label="x"), types)
    assert result.graph is not None
    assert [found.code for found in result.findings] == ["empty"]


class Shelf:
    """A finder that knows some names."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.asked: list[tuple[str, str, Path]] = []

    def missing(self, schema: InputSchema, name: str, folder: Path) -> str | None:
        self.asked.append((schema.name, name, folder))
        return None if name in self.names else f'there is no file "{name}".'


def test_missing_files_are_findings(types: NodeTypes) -> None:
    doc = document({"o": {"type": "core.open@1", "values": {"model": "red.safetensors", "picture": "fox.png"}}})
    doc.path = Path("flows/fox.json")
    shelf = Shelf("red.safetensors")
    (found,) = check(doc, types, files=shelf).findings
    assert str(found) == 'fox.json, node "o", input "picture": there is no file "fox.png".'
    assert found.code == "missing_file"
    assert shelf.asked[0] == ("model", "red.safetensors", Path("flows"))


def test_files_of_a_mapped_input_are_each_looked_for(types: NodeTypes) -> None:
    doc = document(
        {"o": {"type": "core.open@1", "values": {"picture": ["a.png", "b.png", "c.png"]}, "map": ["picture"]}}
    )
    assert [found.value for found in check(doc, types, files=Shelf("b.png")).findings] == ["a.png", "c.png"]


@pytest.mark.parametrize("count", [2_000])
def test_cost_grows_with_the_graph_not_faster(types: NodeTypes, count: int) -> None:
    def seconds(size: int) -> float:
        nodes = {f"n{i}": add(f"n{i // 2}.int", b=i % 7) for i in range(1, size)}
        doc = document({"n0": NUMBER, **nodes})
        best = 1e9
        for _ in range(3):
            start = time.process_time()
            assert check(doc, types).graph is not None
            best = min(best, time.process_time() - start)
        return best

    assert seconds(count * 5) < 5 * 4 * seconds(count)


def test_a_document_made_in_memory_is_checked_like_a_file(types: NodeTypes) -> None:
    doc = Document({"a": SavedNode("core.add", 1, {"a": 1}), "b": SavedNode("core.add", 1, links={"a": "nothing"})})
    (found,) = check(doc, types).findings
    assert str(found).startswith('node "b", input "a": it is linked to "nothing"')

"""The canonical text of workflows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from graphflow.errors import WorkflowError
from graphflow.graph import (
    Document,
    SavedNode,
    document_from,
    dump_document,
    load_document,
    parse_document,
    save_document,
)
from graphflow.graph.graph import NodeTypes

CANONICAL = """\
{
  "graphflow": 1,
  "name": "Fox and owl",
  "packs": {"core": "0.3"},
  "params": {"prompt": "encode.text", "seed": "sample.seed", "width": ["empty.width", "decode.width"]},
  "outputs": {"image": "save.image"},
  "nodes": {
    "checkpoint": {"type": "core.load_checkpoint@1", "values": {"file": "sd15.safetensors"}},
    "fox": {"type": "core.instance@1", "values": {"caption": "a red fox – 狐", "box": [0.1, 0.4, 0.5, 0.9]}},
    "place": {
      "type": "core.unifusion@1",
      "values": {"weights": "unifusion.safetensors", "strength": 1.0, "count": 1},
      "links": {"denoiser": "checkpoint.denoiser", "instances": ["fox.instance", "owl.instance"]},
      "map": ["weights"]
    },
    "story": {
      "type": "core.words@1",
      "values": {
        "text": "once upon a time there was a fox who wanted to paint the whole forest red, and an owl who did not want it",
        "style": "loud"
      }
    }
  },
  "view": {"checkpoint": [40, 80], "fox": [40, 260], "notes": ["draft"]}
}
"""


def test_saving_what_was_loaded_gives_the_same_bytes(tmp_path: Path) -> None:
    file = tmp_path / "fox.json"
    file.write_bytes(CANONICAL.encode())
    save_document(load_document(file), file)
    assert file.read_bytes() == CANONICAL.encode()
    assert [each.name for each in tmp_path.iterdir()] == ["fox.json"]


def test_nodes_come_in_topological_order_with_ties_by_id_and_cycles_last() -> None:
    nodes = {
        "z": SavedNode("p.n", 1),
        "knot": SavedNode("p.n", 1, links={"x": "knot.out"}),
        "c": SavedNode("p.n", 1, links={"x": "z.out"}),
        "b": SavedNode("p.n", 1, links={"x": ["c.out", "a.out"]}),
        "a": SavedNode("p.n", 1),
        "behind": SavedNode("p.n", 1, links={"x": "knot.out"}),
    }
    written = json.loads(dump_document(Document(nodes)))
    assert list(written["nodes"]) == ["a", "z", "c", "b", "behind", "knot"]


def test_equal_documents_give_equal_text_whatever_their_order(types: NodeTypes) -> None:
    one = Document({"w": SavedNode("core.words", 1, {"text": "a", "style": "loud"}), "n": SavedNode("core.number", 1)})
    two = Document({"n": SavedNode("core.number", 1), "w": SavedNode("core.words", 1, {"style": "loud", "text": "a"})})
    assert dump_document(one, types) == dump_document(two, types)


def test_defaults_are_left_out(types: NodeTypes) -> None:
    values = {
        "text": "",
        "weight": 1,
        "enabled": True,
        "tags": [],
        "box": [0.0, 1.0],
        "note": None,
        "seed": 0,
        "style": "loud",
    }
    doc = Document({"w": SavedNode("core.words", 1, values)})
    assert json.loads(dump_document(doc, types))["nodes"]["w"]["values"] == {"style": "loud"}


def test_what_only_looks_like_a_default_stays(types: NodeTypes) -> None:
    values = {"seed": False, "enabled": 1, "note": "", "text": ["", ""], "unknown": 0}
    doc = Document({"w": SavedNode("core.words", 1, values, map=["text"])})
    assert json.loads(dump_document(doc, types))["nodes"]["w"]["values"] == values


def test_nodes_of_other_versions_are_written_as_they_are(types: NodeTypes) -> None:
    values = {"parts": 4, "mode": 1}
    nodes = {"old": SavedNode("core.split", 2, values), "new": SavedNode("core.split", 9, values)}
    written = json.loads(dump_document(Document(nodes), types))["nodes"]
    assert written["old"]["values"] == values
    assert written["new"]["values"] == values


def test_one_link_in_a_list_is_written_as_a_text() -> None:
    doc = Document({"b": SavedNode("core.blend", 1, links={"paints": ["m.paint"], "lid": []})})
    assert json.loads(dump_document(doc))["nodes"]["b"]["links"] == {"paints": "m.paint"}


def test_empty_parts_are_left_out() -> None:
    assert dump_document(Document()) == '{\n  "graphflow": 1\n}\n'
    assert parse_document(dump_document(Document()), label="x").nodes == {}


def test_lines_break_at_120_columns() -> None:
    def line(length: int) -> str:
        text = dump_document(Document({"n": SavedNode("core.words", 1, {"text": "x" * length})}))
        return max(text.splitlines(), key=len)

    whole = next(length for length in range(1, 120) if len(line(length)) == 119)
    assert line(whole).startswith('    "n": {"type"')
    assert line(whole + 1).startswith('      "values"')


def test_a_file_that_cannot_be_written_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkflowError, match="cannot be written"):
        save_document(Document(), tmp_path / "file" / "fox.json")


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "fox.json"
    save_document(Document(name="old"), file)
    for name in ("\ud83d", "x"):
        values = {"x": float("nan")} if name == "x" else {}
        with pytest.raises(WorkflowError):
            save_document(Document({"n": SavedNode("p.n", 1, values)}, name=name), file)
    assert load_document(file).name == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["fox.json"]


def test_a_link_to_a_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("")
    (tmp_path / "fox.json").symlink_to(tmp_path / "real.json")
    save_document(Document(name="new"), tmp_path / "fox.json")
    assert (tmp_path / "fox.json").is_symlink()
    assert load_document(tmp_path / "real.json").name == "new"


WORDS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,5}", fullmatch=True)
PLACES = st.builds("{}.{}".format, WORDS, WORDS)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
LINKS = PLACES | st.lists(PLACES, min_size=1, max_size=3)
TYPES = st.sampled_from(["core.words@1", "core.add@1", "far.off@12", "workflow:a/b.json", "core.split@1"])


def _node(type: str, values: dict[str, Any], links: dict[str, Any], map: list[str]) -> dict[str, Any]:
    return {"type": type, "values": values, "links": links, "map": map}


NAMES = st.sampled_from(["text", "weight", "a", "seed"]) | WORDS
NODES = st.builds(
    _node,
    TYPES,
    st.dictionaries(NAMES, JSON, max_size=3),
    st.dictionaries(NAMES, LINKS, max_size=3),
    st.lists(NAMES, unique=True, max_size=2),
)
FILES = st.fixed_dictionaries(
    {"graphflow": st.just(1)},
    optional={
        "name": TEXTS,
        "packs": st.dictionaries(TEXTS, TEXTS, max_size=3),
        "params": st.dictionaries(WORDS, LINKS, max_size=3),
        "outputs": st.dictionaries(WORDS, PLACES, max_size=3),
        "nodes": st.dictionaries(WORDS, NODES, max_size=6),
        "view": st.dictionaries(TEXTS, JSON, max_size=3),
    },
)


@settings(max_examples=150, deadline=None)
@given(FILES, st.booleans())
def test_any_workflow_survives_saving_and_loading(types: NodeTypes, saved: dict[str, Any], with_types: bool) -> None:
    doc = document_from(saved, "x")
    known = types if with_types else None
    text = dump_document(doc, known)
    again = parse_document(text.encode(), label="x")
    assert dump_document(again, known) == text
    if not with_types:
        assert again.nodes.keys() == doc.nodes.keys()
        assert [again.nodes[id].values for id in doc.nodes] == [node.values for node in doc.nodes.values()]
        assert (again.name, again.packs, again.params, again.outputs) == (doc.name, doc.packs, doc.params, doc.outputs)
        assert again.view == doc.view

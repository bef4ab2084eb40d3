"""Bringing saved nodes up to date."""

from __future__ import annotations

from typing import Any

import pytest

from graphflow.errors import WorkflowError
from graphflow.graph import Document, document_from, dump_document, migrate_document
from graphflow.graph.graph import NodeTypes


def document(nodes: dict[str, Any], **parts: Any) -> Document:
    return document_from({"graphflow": 1, "nodes": nodes, **parts}, "fox.json")


def test_an_up_to_date_document_is_returned_as_it_is(types: NodeTypes) -> None:
    doc = document(
        {"n": {"type": "core.number@1"}, "far": {"type": "glow.place@7"}, "sub": {"type": "workflow:x.json"}}
    )
    assert migrate_document(doc, types) == (doc, [])
    assert migrate_document(doc, types)[0] is doc


def test_every_step_is_taken_and_everything_follows(types: NodeTypes) -> None:
    doc = document(
        {
            "cut": {"type": "core.split@1", "values": {"amount": [8], "mode": "x"}, "map": ["amount", "mode"]},
            "t": {"type": "core.total@1", "links": {"numbers": ["cut.low", "cut.high", "cut.low"]}},
            "a": {"type": "core.add@1", "links": {"a": "cut.high"}},
        },
        packs={"core": "0.1", "other": "5"},
        params={"amount": "cut.amount", "mode": "cut.mode", "both": ["cut.mode", "a.b"]},
        outputs={"low": "cut.low", "sum": "t.int"},
    )
    before = dump_document(doc)
    changed, done = migrate_document(doc, types)
    assert changed.nodes["cut"].version == 3
    assert changed.nodes["cut"].values == {"number": [8], "parts": 2}
    assert changed.nodes["cut"].map == ["number"]
    assert changed.nodes["t"].links == {"numbers": ["cut.first", "cut.second", "cut.first"]}
    assert changed.nodes["a"].links == {"a": "cut.second"}
    assert changed.outputs == {"low": "cut.first", "sum": "t.int"}
    assert changed.params == {"amount": ["cut.number"], "both": ["a.b"]}
    assert changed.packs == {"core": "0.3", "other": "5"}
    assert done[0] == 'node "cut": core.split@1 became core.split@3'
    assert any('parameter "mode"' in line for line in done)
    assert dump_document(doc) == before
    assert migrate_document(changed, types) == (changed, [])


def test_a_node_under_an_older_name_becomes_the_one_that_replaces_it(types: NodeTypes) -> None:
    changed, done = migrate_document(document({"cut": {"type": "core.cut@3", "values": {"number": 1}}}), types)
    assert changed.nodes["cut"].type == "core.split"
    assert changed.nodes["cut"].values == {"number": 1}
    assert done == ['node "cut": core.cut@3 became core.split@3']


def test_a_newer_node_is_left_untouched(types: NodeTypes) -> None:
    doc = document({"cut": {"type": "core.split@9", "values": {"amount": 8}}})
    assert migrate_document(doc, types)[0] is doc


def test_a_step_that_fails_is_a_finding_for_each_node(types: NodeTypes) -> None:
    doc = document({"a": {"type": "core.fragile@1"}, "b": {"type": "core.fragile@1"}})
    with pytest.raises(WorkflowError) as error:
        migrate_document(doc, types)
    assert [found.node for found in error.value.findings] == ["a", "b"]
    assert "KeyError" in str(error.value.findings[0])

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from graphflow.authoring.describe import NodeSchema

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """The names of the script that writes the page."""
    return runpy.run_path(str(DOCS / "make_nodes_page.py"))


@pytest.fixture(scope="module")
def nodes(page: dict[str, Any]) -> tuple[NodeSchema, ...]:
    found: tuple[NodeSchema, ...] = page["builtin_nodes"]()
    return found


def test_the_page_tells_what_the_nodes_are(page: dict[str, Any], nodes: tuple[NodeSchema, ...]) -> None:
    assert (DOCS / "nodes.md").read_text("utf-8") == page["nodes_page"](nodes), "run `python docs/make_nodes_page.py`"


def test_every_node_and_input_has_help(nodes: tuple[NodeSchema, ...]) -> None:
    assert len(nodes) >= 20
    bare = [node.type for node in nodes if not node.help]
    bare += [f"{node.type}.{port.name}" for node in nodes for port in node.inputs if not port.help]
    bare += [
        f"{node.type}.{port.name}" for node in nodes if len(node.outputs) > 1 for port in node.outputs if not port.help
    ]
    assert bare == []


def test_every_node_lies_in_a_category(nodes: tuple[NodeSchema, ...]) -> None:
    assert [node.type for node in nodes if not node.category] == []

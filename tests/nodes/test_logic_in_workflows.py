"""The nodes of logic and text at work in the engine; no model, no tensor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graphflow.app import App, build_app
from graphflow.engine.report import RunReport
from graphflow.graph import parse_document
from graphflow.settings import Settings

Nodes = dict[str, dict[str, Any]]
Run = Callable[[Nodes, str], RunReport]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    app = build_app(Settings(home=tmp_path))
    yield app
    app.close()


@pytest.fixture
def run(app: App) -> Run:
    """Runs nodes for the value of one output."""

    def run(nodes: Nodes, wanted: str) -> RunReport:
        text = json.dumps({"graphflow": 1, "nodes": nodes, "outputs": {"wanted": wanted}})
        return app.run(app.prepare_document(parse_document(text, label="test")), targets=[wanted.partition(".")[0]])

    return run


@pytest.mark.parametrize(("condition", "taken"), [(True, "kept"), (False, None)])
def test_a_switch_runs_one_branch(run: Run, condition: bool, taken: str | None) -> None:
    nodes: Nodes = {
        "kept": {"type": "core.text@1", "values": {"text": "kept"}},
        "empty": {"type": "core.text_list@1"},
        "broken": {"type": "core.list_element@1", "links": {"values": "empty.texts"}},
        "switch": {
            "type": "core.switch@1",
            "values": {"condition": condition},
            "links": {"on_true": "kept.text", "on_false": "broken.value"},
        },
    }
    report = run(nodes, "switch.value")
    assert report.outputs.get("wanted") == taken
    assert ("broken" in {failure.node for failure in report.failures}) is not condition


def test_pairs_become_labels(run: Run) -> None:
    nodes: Nodes = {
        "steps": {"type": "core.range@1", "values": {"start": 10, "count": 2, "step": 10}},
        "guidance": {"type": "core.spread@1", "values": {"first": 1, "last": 7, "count": 3}},
        "pairs": {"type": "core.combine@1", "links": {"first": "guidance.values", "second": "steps.values"}},
        "high": {
            "type": "core.format_text@1",
            "values": {"template": "guidance {value}"},
            "links": {"value": "pairs.first"},
            "map": ["value"],
        },
        "low": {
            "type": "core.format_text@1",
            "values": {"template": "{value} steps"},
            "links": {"value": "pairs.second"},
            "map": ["value"],
        },
        "all": {"type": "core.make_list@1", "links": {"values": ["high.text", "low.text"]}},
        "last": {"type": "core.list_element@1", "values": {"position": -1}, "links": {"values": "all.values"}},
        "joined": {
            "type": "core.join_text@1",
            "values": {"separator": "; "},
            "links": {"texts": ["high.text", "last.value"]},
        },
    }
    assert run(nodes, "joined.text").outputs["wanted"] == (
        "guidance 1; guidance 1; guidance 4; guidance 4; guidance 7; guidance 7; 20 steps"
    )


def test_a_whole_number_goes_where_a_number_is_asked_for(run: Run) -> None:
    nodes: Nodes = {
        "whole": {"type": "core.integer@1", "values": {"value": 3}},
        "number": {"type": "core.number@1", "links": {"value": "whole.value"}},
        "numbers": {"type": "core.number_list@1", "links": {"values": ["whole.value", "number.value"]}},
        "text": {
            "type": "core.format_text@1",
            "links": {"value": "numbers.values"},
            "map": ["value"],
        },
    }
    assert run(nodes, "text.text").outputs["wanted"] == ["3", "3"]

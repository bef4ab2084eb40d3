from __future__ import annotations

from pathlib import Path

import pytest

from graphflow.app import App
from graphflow.graph import dump_document, set_params
from graphflow.paths import bundled

FILES = sorted(path.relative_to(bundled("workflows")).as_posix() for path in bundled("workflows").rglob("*.json"))


@pytest.mark.parametrize("file", FILES)
def test_nothing_is_found_wrong(app: App, workflows: Path, file: str) -> None:
    assert app.check(app.load(workflows / file)).findings == []


@pytest.mark.parametrize("file", FILES)
def test_files_are_in_the_form_that_graphflow_writes(app: App, workflows: Path, file: str) -> None:
    assert dump_document(app.load(workflows / file), app.registry) == (workflows / file).read_text("utf-8")


@pytest.mark.parametrize("file", FILES)
def test_every_exposed_name_can_be_set(app: App, workflows: Path, file: str) -> None:
    document = app.load(workflows / file)
    graph = app.prepare_document(document)
    for name, places in document.params.items():
        node, _, port = places[0].partition(".")
        if document.nodes[node].type.startswith("workflow:"):
            continue
        found = graph.nodes[graph.index[node]]
        schema = found.schema.input(port)
        assert schema is not None
        value = found.values.get(port, schema.default)
        changed = set_params(document, {name: value}, app.registry)
        assert app.check(changed).findings == [], name


def test_each_file_has_a_name_and_shows_its_results(app: App, workflows: Path) -> None:
    for file in FILES:
        document = app.load(workflows / file)
        assert document.name
        assert document.outputs
        assert set(document.view) == set(document.nodes)

"""`graphflow migrate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def old_file(save: Callable[..., Path]) -> Path:
    """A workflow with an `add` of version 1, whose inputs had other names."""
    return save(
        "old.json",
        {
            "two": {"type": "numbers.number@1", "values": {"value": 2}},
            "add": {"type": "numbers.add@1", "links": {"a": "two.float"}, "values": {"b": 4}},
        },
        outputs={"sum": "add.float"},
    )


def test_dry_run_shows_and_writes_nothing(graphflow: Callable[..., Any], old_file: Path) -> None:
    before = old_file.read_bytes()
    done = graphflow("migrate", old_file, "--dry-run")
    assert done.code == 0
    assert any("add" in line for line in done.lines)
    assert "would be rewritten" in done.err
    assert old_file.read_bytes() == before


def test_files_are_rewritten_once_and_mean_the_same(graphflow: Callable[..., Any], old_file: Path) -> None:
    before = graphflow("run", old_file).lines
    assert graphflow("migrate", old_file).code == 0
    add = json.loads(old_file.read_text())["nodes"]["add"]
    assert add == {"type": "numbers.add@2", "values": {"right": 4}, "links": {"left": "two.float"}}
    assert graphflow("run", old_file).lines == before == ["sum: 6.0"]
    again = graphflow("migrate", old_file, "--json")
    assert json.loads(again.out) == {
        "files": [{"file": "old.json", "changes": [], "written": False}],
        "findings": [],
    }
    assert [path.name for path in Path().iterdir()] == ["old.json"]


def test_wrong_files_are_left_alone_and_told_and_others_are_done(graphflow: Callable[..., Any], old_file: Path) -> None:
    Path("bad.json").write_text("{")
    done = graphflow("migrate", "bad.json", old_file)
    assert done.code == 1
    assert "bad.json" in done.err
    assert Path("bad.json").read_text() == "{"
    assert "numbers.add@2" in old_file.read_text()

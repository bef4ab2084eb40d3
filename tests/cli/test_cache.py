"""`graphflow cache`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_an_empty_cache_is_told(graphflow: Callable[..., Any]) -> None:
    done = graphflow("cache")
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("0 results, 0 B")


def test_results_are_shown_by_type_and_cleared(graphflow: Callable[..., Any], slow_file: Path, home: Path) -> None:
    short = ["--set", "steps=5", "--set", "pause=0"]
    saved = Path(graphflow("run", slow_file, *short).lines[0])
    shown = json.loads(graphflow("cache", "--json").out)
    assert {row["type"]: row["results"] for row in shown["types"]} == {"numbers.count": 2, "numbers.save_note": 1}
    assert (shown["results"], shown["folder"]) == (3, str(home / "cache"))
    assert "numbers.count" in graphflow("cache").out
    assert graphflow("cache", "clear").err.startswith("3 results deleted, ")
    assert json.loads(graphflow("cache", "--json").out)["results"] == 0
    assert saved.is_file()
    assert graphflow("run", slow_file, *short).err.startswith("4 nodes ran, 0 cached")


def test_explain_tells_why_a_node_ran(graphflow: Callable[..., Any], slow_file: Path) -> None:
    graphflow("run", slow_file, "--set", "steps=5", "--set", "pause=0")
    graphflow("run", slow_file, "--set", "steps=6", "--set", "pause=0")
    told = graphflow("cache", "--explain", "slow")
    assert told.code == 0
    assert "slow.json" in told.lines[0]
    assert any("steps: 5 -> 6" in line for line in told.lines)
    assert any("slow" in line for line in graphflow("cache", "--explain", "spell").lines[1:])
    assert json.loads(graphflow("cache", "--explain", "slow", "--json").out) == told.lines


def test_explain_of_an_unknown_node_is_1(graphflow: Callable[..., Any]) -> None:
    done = graphflow("cache", "--explain", "slow")
    assert done.code == 1
    assert 'no run so far has a node "slow"' in done.err

"""`graphflow nodes`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def test_types_are_listed_by_category(graphflow: Callable[..., Any]) -> None:
    done = graphflow("nodes")
    listed = [line.split()[:2] for line in done.lines[2:]]
    assert done.code == 0
    assert ["numbers", "numbers.count"] in listed
    assert ["text", "numbers.words"] in listed
    assert [category for category, _ in listed] == sorted(category for category, _ in listed)


def test_one_type_is_shown_with_limits_defaults_and_help(graphflow: Callable[..., Any]) -> None:
    done = graphflow("nodes", "numbers.count")
    assert done.lines == [
        "numbers.count@1: Count",
        "    Count slowly.",
        "",
        "inputs:",
        "  steps: int (1 or more; default 10)",
        "  pause: float (0 or more; default 0.0)",
        "    Seconds for each step.",
        "  start: float (default 0.0)",
        "",
        "outputs:",
        "  float: float",
    ]


def test_json_describes_a_type_for_machines(graphflow: Callable[..., Any]) -> None:
    described = json.loads(graphflow("nodes", "numbers.save_note@1", "--json").out)
    assert (described["type"], described["sink"]) == ("numbers.save_note", True)
    assert [port["name"] for port in described["inputs"]] == ["text", "prefix"]
    assert described in json.loads(graphflow("nodes", "--json").out)


def test_an_unknown_type_is_told_with_near_names(graphflow: Callable[..., Any]) -> None:
    done = graphflow("nodes", "numbers.cuont")
    assert (done.code, done.out) == (1, "")
    assert "numbers.count" in done.err
    assert "Did you mean numbers.count" in graphflow("nodes", "cuont").err

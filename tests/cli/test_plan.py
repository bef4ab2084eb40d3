"""`graphflow plan`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphflow.app import PlannedNode
from graphflow.cli.plan import model_bytes, plan_summary


def test_the_plan_is_what_the_run_does(graphflow: Callable[..., Any], slow_file: Path) -> None:
    short = ["--set", "steps=5", "--set", "pause=0"]
    before = json.loads(graphflow("plan", slow_file, *short, "--json").out)
    assert [step["node"] for step in before["nodes"]] == ["quick", "slow", "spell", "save"]
    assert {step["action"] for step in before["nodes"]} == {"run"}
    graphflow("run", slow_file, *short)
    after = json.loads(graphflow("plan", slow_file, *short, "--json").out)
    assert [(step["node"], step["action"]) for step in after["nodes"]] == [("save", "cached")]
    changed = json.loads(graphflow("plan", slow_file, "--set", "steps=6", "--json").out)
    assert [step["action"] for step in changed["nodes"]] == ["cached", "run", "run", "run"]


def test_the_plan_is_a_table(graphflow: Callable[..., Any], sum_file: Path) -> None:
    done = graphflow("plan", sum_file, "--target", "add")
    assert [line.split()[1:] for line in done.lines[2:]] == [
        ["three", "numbers.number", "run"],
        ["two", "numbers.number", "run"],
        ["add", "numbers.add", "run"],
    ]
    assert done.err == "3 nodes would run, 0 are cached\n"


def test_wrong_workflows_have_no_plan(graphflow: Callable[..., Any], sum_file: Path) -> None:
    done = graphflow("plan", sum_file, "--set", "first=lots")
    assert (done.code, done.out) == (1, "")
    assert "lots" in done.err


def test_each_model_file_counts_once_and_only_for_nodes_that_may_run() -> None:
    steps = [
        PlannedNode("a", "core.load", "run", (("tiny", 10_000_000),)),
        PlannedNode("b", "core.load", "decide", (("tiny", 10_000_000), ("big", 4_000_000))),
        PlannedNode("c", "core.load", "cached", (("other", 1),)),
    ]
    assert model_bytes(steps) == 14_000_000
    assert (
        plan_summary(steps)
        == "1 node would run, 1 is cached, 1 is decided while it runs; 14 MB of model files would be read"
    )

"""What a second process finds done already."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Lines = list[dict[str, Any]]
Graphflow = Callable[..., Lines]


@pytest.fixture
def graphflow(tmp_path: Path, workflows: Path) -> Graphflow:
    """Runs text_to_image in a process of its own and gives the lines that it prints."""
    environment = {**os.environ, "GRAPHFLOW_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}

    def graphflow(*arguments: str) -> Lines:
        command = [sys.executable, "-m", "graphflow", "run", str(workflows / "text_to_image.json"), "--json"]
        done = subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return graphflow


def started(lines: Lines) -> set[str]:
    return {line["node"] for line in lines if line["event"] == "node_started"}


def test_a_second_process_runs_nothing_and_another_seed_only_what_follows(graphflow: Graphflow) -> None:
    first = graphflow()
    assert started(first) == {"checkpoint", "empty", "positive", "negative", "sample", "decode", "save"}

    second = graphflow()
    assert started(second) == set()
    assert second[-1]["executed"] == 0
    assert second[-1]["outputs"] == first[-1]["outputs"]
    assert Path(second[-1]["outputs"]["image"]["path"]).is_file()

    third = graphflow("--set", "seed=8")
    assert started(third) == {"sample", "decode", "save"}
    assert third[-1]["executed"] == 3
    assert third[-1]["outputs"]["image"]["digest"] != first[-1]["outputs"]["image"]["digest"]

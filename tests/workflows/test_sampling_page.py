"""What docs/sampling.md shows works."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphflow.app import App
from graphflow.engine.report import RunReport
from graphflow.graph import dump_document, parse_document
from graphflow.zoo.judge import judge

PAGE = (Path(__file__).parents[2] / "docs" / "sampling.md").read_text("utf-8")

Saved = Callable[[RunReport], NDArray[np.uint8]]


def test_the_workflow_in_parts_draws_what_its_prompt_says(app: App, saved: Saved) -> None:
    (text,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    document = parse_document(text, label="sampling.md")
    assert dump_document(document, app.registry) == text
    report = app.run(app.prepare_document(document))
    assert report.status == "succeeded", report.message or report.failures
    verdict = judge(saved(report), "a red circle on sand")
    assert verdict.right, verdict


def test_the_commands_can_be_run(app: App, workflows: Path) -> None:
    commands = re.findall(r"^    graphflow run (\S+)(.*)$", PAGE, re.MULTILINE)
    assert len(commands) == 2
    for file, rest in commands:
        settings = [word for word in shlex.split(rest) if word != "--set"]
        assert app.check(app.load(workflows / Path(file).name)).findings == []
        app.prepare(workflows / Path(file).name, settings)


def test_every_node_that_is_named_is_there(app: App) -> None:
    pattern = r"`(?:core\.)?([a-z_]+_guider|[a-z]+_schedule|random_noise|no_noise|refine_stage|sample|ksampler)`"
    named = set(re.findall(pattern, PAGE))
    assert len(named) >= 12
    assert named <= {schema.name for schema in app.registry.types()}

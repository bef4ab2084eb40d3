"""What the documentation shows works: commands run, files load, the node is a node."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from graphflow import Image
from graphflow.app import App
from graphflow.cli import main
from graphflow.graph import dump_document, parse_document
from graphflow.testing import run_node

ROOT = Path(__file__).parents[2]
WRITTEN_HERE = (
    "README.md",
    "CHANGELOG.md",
    "docs/index.md",
    "docs/run_workflows.md",
    "docs/workflow_file.md",
    "docs/nodes.md",
    "docs/images.md",
    "docs/inpainting.md",
    "docs/speed.md",
)


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "page", ["README.md", "docs/run_workflows.md", "docs/images.md", "docs/inpainting.md", "docs/speed.md"]
)
def test_every_command_works(
    page: str, workflows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(workflows, tmp_path / "workflows")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAPHFLOW_HOME", str(tmp_path / "home"))
    commands = [line for block in blocks(page, "sh") for line in block.splitlines()]
    assert commands
    for command in commands:
        if command.startswith("graphflow "):
            assert main(shlex.split(command)[1:]) == 0, f"{command}\n{capfd.readouterr().err}"
        else:
            subprocess.run(command, shell=True, check=True)
        printed = capfd.readouterr().out
        if command.startswith("graphflow run") and "--json" not in command:
            assert all(Path(line).is_file() for line in printed.splitlines()), printed


def test_the_workflow_in_the_reference_runs(app: App) -> None:
    (text,) = blocks("docs/workflow_file.md", "json")
    document = parse_document(text, label="workflow_file.md")
    assert dump_document(document, app.registry) == text
    report = app.run(app.prepare_document(document))
    assert report.status == "succeeded", report.message or report.failures
    assert [artifact.node for artifact in report.artifacts] == ["save"]


def test_the_node_in_the_readme_is_a_node(tmp_path: Path) -> None:
    (source,) = blocks("README.md", "python")
    file = tmp_path / "brighten.py"
    file.write_text(source, "utf-8")
    spec = importlib.util.spec_from_file_location("brighten", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    image = Image(torch.full((1, 3, 2, 2), 0.5))
    assert run_node(module.Brighten(image=image, amount=0.25))["image"].pixels.mean() == 0.75


@pytest.mark.parametrize("page", WRITTEN_HERE)
def test_links_lead_somewhere(page: str) -> None:
    targets = re.findall(r"\]\(([^)]+)\)", (ROOT / page).read_text("utf-8"))
    for target in targets:
        if not target.startswith("https://"):
            path = (ROOT / page).parent / target.partition("#")[0]
            assert path.exists(), f"{page} links to {target}"


def test_json_shown_is_json() -> None:
    for page in WRITTEN_HERE:
        for block in blocks(page, "json"):
            json.loads(block)

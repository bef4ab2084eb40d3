"""A built wheel has everything, and the main job works in an environment that never saw the checkout."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from graphflow.zoo.judge import judge
from tests.packaging.conftest import ROOT, NewEnvironment


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def test_nothing_but_graphflow_is_at_top_level(contents: set[str]) -> None:
    assert {name.split("/")[0] for name in contents if ".dist-info/" not in name} == {"graphflow"}


@pytest.mark.parametrize("folder", ["nodes", "workflows"])
def test_nodes_and_workflows_are_inside(contents: set[str], folder: str) -> None:
    files = [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert files
    assert {f"graphflow/_bundled/{path.relative_to(ROOT).as_posix()}" for path in files} <= contents


def test_zoo_templates_types_and_licence_are_inside(contents: set[str]) -> None:
    models = [path for path in (ROOT / "graphflow" / "zoo" / "models").rglob("*") if path.is_file()]
    assert any(path.suffix == ".safetensors" for path in models)
    assert {path.relative_to(ROOT).as_posix() for path in models} <= contents
    assert {"graphflow/py.typed", "graphflow/packs/starter/spot.py.template", "graphflow/graph/schema.json"} <= contents
    assert any(name.endswith("licenses/LICENSE") for name in contents)


def test_nothing_that_tools_leave_behind_is_inside(contents: set[str]) -> None:
    assert [name for name in contents if "__pycache__" in name or name.endswith((".pyc", ".tmp"))] == []


def test_installed_graphflow_comes_from_the_wheel(environment: NewEnvironment) -> None:
    place = environment.run("python", "-c", "import graphflow; print(graphflow.__file__)").strip()
    assert Path(place).is_relative_to(environment.folder)


def test_built_in_nodes_are_there(environment: NewEnvironment) -> None:
    assert "core.ksampler" in environment.run("graphflow", "nodes")


def test_nodes_is_no_module_there(environment: NewEnvironment) -> None:
    code = "import importlib.util; print(importlib.util.find_spec('nodes'))"
    assert environment.run("python", "-c", code).strip() == "None"


def test_main_job_gives_the_picture_of_the_prompt(environment: NewEnvironment) -> None:
    code = "from graphflow.paths import bundled; print(bundled('workflows'))"
    workflow = Path(environment.run("python", "-c", code).strip(), "text_to_image.json")
    assert workflow.is_relative_to(environment.folder)
    printed = environment.run("graphflow", "run", str(workflow), "--device", "cpu")
    with Pil.open(environment.home / printed.strip().splitlines()[-1]) as picture:
        verdict = judge(np.array(picture.convert("RGB")), "a red circle on sand")
    assert verdict.right, verdict

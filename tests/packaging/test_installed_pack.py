"""A pack made into a package as docs/packs.md says: built, installed, found by its entry point."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from graphflow.packs.scaffold import scaffold_pack
from tests.packaging.conftest import ROOT, NewEnvironment, build_wheel

PAGE = ROOT / "docs" / "packs.md"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The author's folder: the pyproject.toml of the page beside a new pack."""
    folder = tmp_path_factory.mktemp("graphflow-glow")
    found = re.search(r"^```toml pyproject.toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    (folder / "pyproject.toml").write_text(found[1], encoding="utf-8")
    scaffold_pack(folder, "glow")
    (folder / "glow").rename(folder / "graphflow_glow")
    return folder


def test_installed_pack_gives_its_nodes(environment: NewEnvironment, project: Path, tmp_path: Path) -> None:
    environment.install(str(build_wheel(project, tmp_path)))
    assert re.search(
        r"glow\s+0\.1\.0\s+1\s+package graphflow-glow 0\.1\.0", environment.run("graphflow", "packs", "list")
    )
    workflow = project / "graphflow_glow" / "try_it.json"
    printed = environment.run("graphflow", "run", str(workflow), "--device", "cpu")
    assert Path(printed.strip().splitlines()[-1]).suffix == ".png"

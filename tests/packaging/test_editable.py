"""An editable install takes everything from the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT, new_environment


def test_editable_install_finds_the_nodes_of_the_checkout(tmp_path: Path) -> None:
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("editable installs are made from a checkout")
    environment = new_environment(tmp_path)
    environment.install("-e", str(ROOT))
    code = "import graphflow, graphflow.paths as paths; print(graphflow.__file__, paths.bundled('nodes'), sep='\\n')"
    place, nodes = environment.run("python", "-c", code).split()
    assert (Path(place).parents[1], Path(nodes)) == (ROOT, ROOT / "nodes")
    assert "core.ksampler" in environment.run("graphflow", "nodes")
    site = next(environment.folder.glob("lib/python*/site-packages"))
    assert not (site / "graphflow").exists()

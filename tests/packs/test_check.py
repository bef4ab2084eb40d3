"""What `graphflow packs check` finds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from graphflow.packs.check import check_pack, private_imports
from tests.packs.conftest import ADD, WritePack


def codes(path: Path) -> set[str]:
    return {finding.code for finding in check_pack(path)}


def test_everything_is_reported_at_once(write_pack: WritePack, tmp_path: Path) -> None:
    plain = ADD.replace('"add"', '"plain"').replace('        """Add two numbers."""\n', "")
    folder = write_pack(
        "messy",
        {
            "maths/broken.py": "import nowhere_at_all\n",
            "maths/inside.py": "from graphflow.engine import run\n",
            "plain.py": plain,
        },
        inside=tmp_path,
        manifest='name = "messy"\nversion = "1"\ngraphflow = ">=99"\nrequirements = ["nowhere-at-all>=1", "pydantic"]\n',
    )
    findings = check_pack(folder)
    assert {finding.code for finding in findings} == {
        "api_range",
        "requirement",
        "import",
        "private_import",
        "no_help",
        "no_category",
    }
    broken = next(finding for finding in findings if finding.file.endswith("broken.py"))
    assert "nowhere_at_all" in broken.message
    assert broken.value.splitlines()[-1].startswith("ModuleNotFoundError")
    assert sum(finding.code == "requirement" for finding in findings) == 1


def test_pack_is_not_imported_into_this_process(write_pack: WritePack, tmp_path: Path) -> None:
    folder = write_pack("apart", {"maths/add.py": ADD}, inside=tmp_path)
    assert check_pack(folder) == []
    assert "graphflow.packs.user.apart.maths.add" not in sys.modules


def test_pack_that_kills_its_process_is_a_finding(write_pack: WritePack, tmp_path: Path) -> None:
    folder = write_pack("deadly", {"maths/exit.py": "import os\nos._exit(7)\n"}, inside=tmp_path)
    findings = check_pack(folder)
    assert [finding.code for finding in findings] == ["crashed"]
    assert "exit code 7" in findings[0].message


def test_pack_without_nodes_is_a_finding(write_pack: WritePack, tmp_path: Path) -> None:
    assert codes(write_pack("empty", {"maths/none.py": "x = 1\n"}, inside=tmp_path)) == {"no_nodes"}


def test_folder_that_is_no_pack_is_a_finding(tmp_path: Path) -> None:
    assert codes(tmp_path) == {"manifest"}


@pytest.mark.parametrize(
    ("line", "private"),
    [
        ("import graphflow", []),
        ("from graphflow import Node, Image", []),
        ("from graphflow.diffusion.samplers import euler", []),
        ("from graphflow.models.modules import unets", []),
        ("from graphflow.testing import FakeContext", []),
        ("import torch", []),
        ("from .base import X", []),
        ("import graphflow.engine.run", ["graphflow.engine.run"]),
        ("from graphflow.cache import disk", ["graphflow.cache"]),
        ("from graphflow import engine", ["graphflow.engine"]),
        ("from graphflow.models.store import Store", ["graphflow.models.store"]),
        ("from graphflow.models import modules", []),
    ],
)
def test_only_public_parts_may_be_imported(tmp_path: Path, line: str, private: list[str]) -> None:
    file = tmp_path / "node.py"
    file.write_text(line + "\n")
    assert [name for name, _ in private_imports(file)] == private

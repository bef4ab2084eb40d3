"""Who may import torch while it is imported itself, measured in fresh processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import graphflow

HEAVY = ("torch", "diffusers", "transformers", "peft")
FREE = ("graph", "authoring", "engine", "packs", "store", "web", "cli", "ports", "compat")
"""Parts none of whose modules needs torch when it is imported."""
PACKAGE = Path(graphflow.__file__).resolve().parent

_PROBE = """
import importlib, sys
for name in sys.argv[1].split(","):
    importlib.import_module(name)
    heavy = [heavy for heavy in sys.argv[2].split(",") if heavy in sys.modules]
    if heavy:
        sys.exit(f"importing {name} imports {heavy[0]}")
"""


def modules_of(part: str) -> list[str]:
    files = [path for path in sorted((PACKAGE / part).rglob("*.py")) if "__pycache__" not in path.parts]
    names = [".".join(("graphflow", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in files]
    return [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]


def probe(modules: list[str]) -> None:
    command = [sys.executable, "-c", _PROBE, ",".join(modules), ",".join(HEAVY)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("part", [part for part in FREE if modules_of(part)])
def test_part_is_imported_without_torch(part: str) -> None:
    probe(modules_of(part))


def test_public_names_wiring_and_doubles_are_imported_without_torch() -> None:
    probe(
        ["graphflow", "graphflow.app", "graphflow.testing", "graphflow.settings", "graphflow.paths", "graphflow.errors"]
    )

"""What `__all__` promises is there."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import graphflow

PACKAGE = Path(graphflow.__file__).resolve().parent


def modules_with_all() -> list[str]:
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            name = ".".join(("graphflow", *path.relative_to(PACKAGE).with_suffix("").parts))
            names.append(name.removesuffix(".__init__"))
    return names


@pytest.mark.parametrize("name", modules_with_all())
def test_all_is_true(name: str) -> None:
    module = importlib.import_module(name)
    assert [public for public in module.__all__ if not hasattr(module, public)] == []
    assert len(set(module.__all__)) == len(module.__all__)


def test_everything_in_the_public_surface_has_a_docstring() -> None:
    bare = [
        name
        for name in graphflow.__all__
        if (callable(getattr(graphflow, name)) and not (getattr(graphflow, name).__doc__ or "").strip())
    ]
    assert bare == []

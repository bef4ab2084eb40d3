"""Section 2 of the design as code: what may import what."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import graphflow
from graphflow.packs.check import private_imports

ROOT = Path(graphflow.__file__).resolve().parents[1]
PACKAGE = ROOT / "graphflow"

ROWS = (
    {"errors", "settings", "paths"},
    {"ports"},
    {"graph", "authoring", "public"},
    {"cache", "models", "diffusion", "training", "store", "zoo"},
    {"engine", "packs", "compat"},
    {"app", "testing"},
    {"cli", "web", "server"},
    {"__main__"},
)
"""From the ground up; a module imports from its own part and from rows below. `public` is `graphflow/__init__.py`."""

BESIDE = {"training": {"diffusion", "models"}, "diffusion": {"models"}, "graph": {"authoring"}, "public": {"authoring"}}
"""What a part may import in its own row. The zoo's training scripts use what they train with."""
BESIDE["zoo"] = {"diffusion", "models", "training"}

MAX_LINES = 400


def row(part: str) -> int:
    return next(at for at, parts in enumerate(ROWS) if part in parts)


def part_of(module: str) -> str:
    """`graphflow.cache.disk` -> `cache`; `graphflow` -> `public`."""
    names = module.split(".")
    return names[1] if len(names) > 1 else "public"


def source_files() -> Iterator[Path]:
    yield from sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)
    if (ROOT / "server.py").exists():
        yield ROOT / "server.py"


def module_of(path: Path) -> str:
    if path.parent == ROOT:
        return "graphflow.server"
    names = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def imported_modules(path: Path) -> Iterator[tuple[str, int]]:
    """Every module of graphflow that a file imports, anywhere in it, with the line."""
    package = module_of(path) if path.name == "__init__.py" else module_of(path).rpartition(".")[0]
    for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                if alias.name.split(".")[0] == "graphflow":
                    yield alias.name, statement.lineno
        elif isinstance(statement, ast.ImportFrom):
            base = statement.module or ""
            if statement.level:
                above = package.split(".")[: len(package.split(".")) - statement.level + 1]
                base = ".".join([*above, base] if base else above)
            for alias in statement.names:
                if (base == "graphflow" and (PACKAGE / alias.name).exists()) or (
                    (PACKAGE / f"{alias.name}.py").exists() and base == "graphflow"
                ):
                    yield f"graphflow.{alias.name}", statement.lineno
                elif base.split(".")[0] == "graphflow":
                    yield base, statement.lineno


def test_imports_point_down() -> None:
    wrong = []
    for path in source_files():
        part = part_of(module_of(path))
        for module, line in imported_modules(path):
            target = part_of(module)
            if target == part or target in BESIDE.get(part, ()) or row(target) < row(part):
                continue
            wrong.append(f"{path.relative_to(ROOT)}:{line}: {part} imports {module}, which is not below it")
    assert wrong == []


def test_engine_knows_models_and_cache_only_as_protocols() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: imports {module}"
        for path in (PACKAGE / "engine").rglob("*.py")
        for module, line in imported_modules(path)
        if part_of(module) in ("models", "cache")
    ]
    assert wrong == []


def test_builtin_nodes_live_by_the_rule_of_packs() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: imports {module}"
        for path in sorted((ROOT / "nodes").rglob("*.py"))
        for module, line in private_imports(path)
    ]
    assert wrong == []


def test_nothing_imports_the_nodes() -> None:
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "nodes").rglob("*.py")]
    for path in files:
        for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in statement.names] if isinstance(statement, ast.Import) else []
            if isinstance(statement, ast.ImportFrom) and not statement.level:
                names = [statement.module or ""]
            for name in names:
                assert name.split(".")[0] != "nodes", path
                assert not name.startswith("graphflow.packs.builtin."), path


def test_nodes_folder_is_no_package() -> None:
    assert list((ROOT / "nodes").rglob("__init__.py")) == []


@pytest.mark.parametrize(
    "path", [*source_files(), *sorted((ROOT / "nodes").rglob("*.py"))], ids=lambda path: str(path.relative_to(ROOT))
)
def test_file_is_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_every_part_has_its_row() -> None:
    parts = {part_of(module_of(path)) for path in source_files()}
    assert parts <= set().union(*ROWS)

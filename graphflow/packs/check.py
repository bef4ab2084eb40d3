"""Check a pack before it is shared: import it in a process of its own and report everything at once."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import graphflow
from graphflow.authoring.describe import NodeSchema
from graphflow.errors import Finding
from graphflow.packs.discover import BUILTIN, PackSource, folder_source
from graphflow.packs.install import missing
from graphflow.packs.load import load_pack, python_files
from graphflow.packs.manifest import PackManifest
from graphflow.packs.user import mount

PUBLIC = ("graphflow", "graphflow.diffusion", "graphflow.training", "graphflow.models.modules", "graphflow.testing")
"""What packs may import of graphflow, with all that lies under the last four."""

_TIMEOUT_S = 300
_MARK = "graphflow-findings:"


def check_pack(path: Path) -> list[Finding]:
    """Everything wrong with the pack in a folder; empty when it can be shared.

    Its modules are imported in another process, so nothing that they do reaches this one.
    """
    command = [sys.executable, "-m", "graphflow.packs.check", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        message = f"importing the pack took more than {_TIMEOUT_S} s; do the work in `run`, not at import."
        return [Finding(message, file=str(path), code="timeout")]
    answer = next((line for line in done.stdout.splitlines() if line.startswith(_MARK)), None)
    if answer is None:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        message = f"importing the pack ended the process (exit code {done.returncode}): {last}"
        return [Finding(message, file=str(path), code="crashed")]
    return [Finding(**saved) for saved in json.loads(answer.removeprefix(_MARK))]


def findings_of(folder: Path) -> list[Finding]:
    """The findings of `check_pack`, with the pack imported into this process."""
    source = folder_source(folder.resolve())
    if source.problem:
        return [Finding(line, code="manifest") for line in source.problem.splitlines()]
    return [*_manifest_findings(source), *_import_findings(source), *_node_findings(source)]


def _manifest_findings(source: PackSource) -> Iterator[Finding]:
    file = str(source.folder / "pack.toml")
    if source.name == BUILTIN:
        yield Finding(f'"{BUILTIN}" is the name of the built-in pack; choose another.', file=file, code="manifest")
    manifest = PackManifest(name=source.name, version=source.version, graphflow=source.graphflow)
    if not manifest.accepts(graphflow.__version__):
        message = f"it is written for graphflow {source.graphflow}; this is {graphflow.__version__}."
        yield Finding(message, file=file, code="api_range")
    for text in missing(source.requirements):
        yield Finding(f"it needs {text}, which is not installed; install it.", file=file, code="requirement")


def _import_findings(source: PackSource) -> Iterator[Finding]:
    """Imports of parts of graphflow that may change at any time."""
    for file in python_files(source.folder):
        path = source.folder / file
        for name, line in private_imports(path):
            message = f"it imports {name}, which may change at any time; use the names of {', '.join(PUBLIC[:4])}."
            yield Finding(message, file=str(path), code="private_import", line=line, column=1, severity="warning")


def private_imports(path: Path) -> list[tuple[str, int]]:
    """Modules of graphflow that a file imports but packs may not, with their lines; empty for a file that Python cannot read."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return []
    found = []
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Import):
            found += [(alias.name, statement.lineno) for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.level == 0 and statement.module:
            found += [(_module_of(statement.module, alias.name), statement.lineno) for alias in statement.names]
    return [(name, line) for name, line in found if _is_private(name)]


def _module_of(module: str, name: str) -> str:
    """The module that `from module import name` means: the name where that is what counts, else the module."""
    if module == "graphflow":
        return module if name in (*graphflow.__all__, "*") else f"{module}.{name}"
    inside = f"{module}.{name}"
    return inside if inside in PUBLIC else module


def _is_private(name: str) -> bool:
    if name.partition(".")[0] != "graphflow" or name in PUBLIC:
        return False
    return not name.startswith(tuple(f"{public}." for public in PUBLIC[1:]))


def _node_findings(source: PackSource) -> Iterator[Finding]:
    mount(source.name, source.folder)
    loaded = load_pack(source)
    for problem in loaded.problems:
        file = str(source.folder / problem.file)
        yield Finding(problem.summary, file=file, code="import", value=problem.traceback)
    if not loaded.nodes and not loaded.problems:
        yield Finding("no file holds a class marked with @node; write one.", file=str(source.folder), code="no_nodes")
    for schema in loaded.nodes:
        yield from _help_findings(source, schema)


def _help_findings(source: PackSource, schema: NodeSchema) -> Iterator[Finding]:
    file = str(source.folder / schema.module)
    if not schema.help:
        message = "it has no docstring; say in one line what the node does."
        yield Finding(message, file=file, node=schema.type, code="no_help", severity="warning")
    if not schema.category:
        message = "it lies at the top of the pack; a folder gives it a menu category."
        yield Finding(message, file=file, node=schema.type, code="no_category", severity="warning")


def _main() -> None:
    findings = [asdict(finding) for finding in findings_of(Path(sys.argv[1]))]
    sys.stdout.write(f"\n{_MARK}{json.dumps(findings, default=str)}\n")


if __name__ == "__main__":
    _main()

"""`graphflow migrate`: rewrite saved workflows for the nodes that are installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphflow.cli.options import AsJson

if TYPE_CHECKING:
    from graphflow.packs.registry import Registry


def migrate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Workflows.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Rewrite workflows for the installed node versions.

    They are written in the canonical form. A file is replaced as a whole or left as it is. Nodes that are newer than what is
    installed are kept untouched.
    """
    from graphflow.cli.exits import ExitCode
    from graphflow.cli.house import open_app
    from graphflow.cli.output import finding_json, finding_lines, json_line, line, notice
    from graphflow.errors import Finding, WorkflowError

    findings: list[Finding] = []
    told = []
    with open_app() as app:
        for file in files:
            try:
                changes = _migrate_file(file, app.registry, dry_run=dry_run)
            except WorkflowError as error:
                findings += error.findings
                continue
            told.append({"file": str(file), "changes": changes, "written": bool(changes) and not dry_run})
            if not as_json:
                for change in changes:
                    line(f"{file}: {change}")
                notice(f"{file}: {_outcome(changes, dry_run=dry_run)}")
    if as_json:
        json_line({"files": told, "findings": [finding_json(finding) for finding in findings]})
    for text in () if as_json else finding_lines(findings):
        notice(text)
    raise typer.Exit(ExitCode.WRONG_INPUT if findings else ExitCode.DONE)


def _migrate_file(file: Path, types: Registry, *, dry_run: bool) -> list[str]:
    """What changes in the file. Raises WorkflowError."""
    from graphflow.errors import Finding, WorkflowError
    from graphflow.graph import dump_document, load_document, migrate_document, save_document

    document = load_document(file)
    data = file.read_bytes()
    if not _is_text(data):
        message = "it is a picture, which keeps the workflow that made it; save that as a file of its own first."
        raise WorkflowError([Finding(message, file=document.label, code="not_a_workflow_file")])
    migrated, changes = migrate_document(document, types)
    if not changes and dump_document(migrated, types).encode("utf-8") != data:
        changes = ["written in the canonical form"]
    if changes and not dry_run:
        save_document(migrated, file, types)
    return changes


def _is_text(data: bytes) -> bool:
    return data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def _outcome(changes: list[str], *, dry_run: bool) -> str:
    if not changes:
        return "up to date"
    return "would be rewritten" if dry_run else "rewritten"

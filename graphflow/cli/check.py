"""`graphflow check`: everything that is wrong with saved workflows, at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from graphflow.cli.options import AsJson, Files

if TYPE_CHECKING:
    from graphflow.app import App
    from graphflow.errors import Finding


def check(files: Files, as_json: AsJson = False) -> None:
    """Tell everything that is wrong with workflows.

    A line for each finding; nothing is run.
    """
    from graphflow.cli.exits import ExitCode
    from graphflow.cli.house import open_app
    from graphflow.cli.output import count_text, finding_json, finding_lines, json_line, line, notice

    with open_app() as app:
        found = [finding for file in files for finding in _findings(app, file)]
    wrong = any(finding.severity == "error" for finding in found)
    if as_json:
        json_line([finding_json(finding) for finding in found])
    else:
        for text in finding_lines(found):
            line(text)
        if not wrong:
            notice(f"{count_text(len(files), 'workflow')} checked: nothing is wrong")
    raise typer.Exit(ExitCode.WRONG_INPUT if wrong else ExitCode.DONE)


def _findings(app: App, file: Path) -> list[Finding]:
    from graphflow.errors import WorkflowError

    try:
        return list(app.check(app.load(file)).findings)
    except WorkflowError as error:
        return list(error.findings)
